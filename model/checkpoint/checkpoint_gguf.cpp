// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/byte_cursor.hpp"
#include "model/checkpoint/checkpoint.hpp"
#include "model/checkpoint/gguf.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace sluice {

namespace fs = std::filesystem;

namespace {

/// Reads as much of the file as its header needs. The header does not tell its
/// length, so the prefix grows until the parser is content.
gguf_header read_header(const model_file& file) {
  std::uint64_t prefix_bytes = 1u << 20;
  const auto limit = std::min(file.size_bytes(), gguf_limits::header_bytes);
  for (;;) {
    prefix_bytes = std::min(prefix_bytes, limit);
    try {
      return parse_gguf_header(file.slice(0, prefix_bytes), file.size_bytes(),
                               file.name());
    } catch (const incomplete_input&) {
      if (prefix_bytes == limit)
        throw;
    }
    prefix_bytes *= 4;
  }
}

/// "name-00001-of-00003.gguf" and number 2 -> "name-00002-of-00003.gguf".
fs::path split_path(const fs::path& first, std::uint32_t number,
                    std::uint32_t count) {
  char ending[40];
  const auto text = [&](std::uint32_t part) {
    std::snprintf(ending, sizeof ending, "-%05u-of-%05u.gguf", part, count);
    return std::string(ending);
  };
  const std::string name = first.filename().string();
  if (!name.ends_with(text(1)))
    throw model_error(model_fault::missing, {name, "key 'split.count'"},
                      "the file is one part of " + std::to_string(count),
                      "give the part whose name ends with " + text(1));
  const auto stem = name.substr(0, name.size() - text(1).size());
  return first.parent_path() / (stem + text(number));
}

} // namespace

checkpoint checkpoint::open_gguf(const fs::path& path) {
  checkpoint model;
  model.format_ = checkpoint_format::gguf;
  model.path_ = path;
  model.directory_ = path.parent_path();
  model.files_.emplace_back(path);
  auto header = read_header(model.files_.back());
  model.metadata_ = std::move(header.metadata);
  model.add_tensors(std::move(header.tensors));
  model.add_gguf_splits(model.metadata_.u32("split.count", 1));
  return model;
}

void checkpoint::add_gguf_splits(std::uint32_t count) {
  if (count > gguf_limits::split_files)
    throw model_error(model_fault::limit, {label(), "key 'split.count'"},
                      "more than 1024 files", download_again);
  for (std::uint32_t number = 2; number <= count; ++number) {
    files_.emplace_back(split_path(path_, number, count));
    auto header = read_header(files_.back());
    if (header.metadata.u32("split.no") != number - 1 ||
        header.metadata.u32("split.count") != count)
      throw model_error(
          model_fault::malformed, {files_.back().name(), "key 'split.no'"},
          "the file is another part than its name says", download_again);
    add_tensors(std::move(header.tensors));
  }
}

} // namespace sluice
