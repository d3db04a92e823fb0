// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace sluice {

/// A regular file open for reading at offsets. Its size is taken once, from
/// the open descriptor, and every read is checked against it.
/// @note Nothing is memory-mapped: a file that is truncated or replaced while
///       in use gives a typed error, never SIGBUS. Symbolic links are followed,
///       because download caches are made of them.
class model_file {
public:
  /// @throws model_error (io) if the path is not a readable regular file.
  explicit model_file(const std::filesystem::path& path);
  ~model_file();
  model_file(model_file&& other) noexcept;
  model_file& operator=(model_file&& other) noexcept;

  std::uint64_t size_bytes() const noexcept { return size_bytes_; }
  /// The file's name without its folders, for messages.
  const std::string& name() const noexcept { return name_; }

  /// Fills `out` from `offset`. The only access to the file's bytes.
  /// @throws model_error: truncated if [offset, offset + out.size()) does not
  ///         lie inside the file, or no longer does; io if reading fails.
  void read(std::uint64_t offset, std::span<std::byte> out) const;

  /// Copies a slice that the caller has bounded.
  /// @throws as read(); nothing is allocated for a slice outside the file.
  std::vector<std::byte> slice(std::uint64_t offset,
                               std::uint64_t length) const;

private:
  void check_range(std::uint64_t offset, std::uint64_t length) const;

  int descriptor_ = -1;
  std::uint64_t size_bytes_ = 0;
  std::string name_;
};

} // namespace sluice
