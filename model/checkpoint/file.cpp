// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/file.hpp"

#include "model/checkpoint/model_error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sluice {

namespace {

[[noreturn]] void cannot_open(const std::string& name, std::string_view why) {
  throw model_error(model_fault::io, {name, ""},
                    "cannot open the file: " + std::string(why),
                    "check the path and its permissions");
}

} // namespace

model_file::model_file(const std::filesystem::path& path)
    : name_(path.filename().string()) {
  // O_NONBLOCK: opening a named pipe must not wait for its writer.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0)
    cannot_open(path.string(), std::strerror(errno));
  struct ::stat status {};
  const bool known = ::fstat(descriptor_, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    ::close(std::exchange(descriptor_, -1));
    cannot_open(path.string(), "it is not a regular file");
  }
  size_bytes_ = static_cast<std::uint64_t>(status.st_size);
}

model_file::~model_file() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
}

model_file::model_file(model_file&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      size_bytes_(other.size_bytes_), name_(std::move(other.name_)) {}

model_file& model_file::operator=(model_file&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_bytes_, other.size_bytes_);
  std::swap(name_, other.name_);
  return *this;
}

void model_file::check_range(std::uint64_t offset, std::uint64_t length) const {
  if (offset <= size_bytes_ && length <= size_bytes_ - offset)
    return;
  throw model_error(model_fault::truncated, {name_, ""},
                    "data lies past the end of the file", download_again);
}

void model_file::read(std::uint64_t offset, std::span<std::byte> out) const {
  constexpr std::size_t largest_read = 64u << 20;
  check_range(offset, out.size());
  while (!out.empty()) {
    const auto got =
        ::pread(descriptor_, out.data(), std::min(out.size(), largest_read),
                static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      throw model_error(model_fault::io, {name_, ""},
                        std::string("reading failed: ") + std::strerror(errno),
                        "check the disk");
    if (got == 0)
      throw model_error(model_fault::truncated, {name_, ""},
                        "the file became shorter while it was read",
                        "do not replace model files in place; start again");
    offset += static_cast<std::uint64_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

std::vector<std::byte> model_file::slice(std::uint64_t offset,
                                         std::uint64_t length) const {
  check_range(offset, length);
  std::vector<std::byte> bytes(length);
  read(offset, bytes);
  return bytes;
}

} // namespace sluice
