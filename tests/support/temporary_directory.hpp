// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sluice::test {

/// A fresh directory that disappears with the object.
class temporary_directory {
public:
  temporary_directory() {
    std::string name =
        std::filesystem::temp_directory_path() / "sluice-test-XXXXXX";
    if (!::mkdtemp(name.data()))
      throw std::runtime_error("cannot make a temporary directory");
    path_ = name;
  }
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// Writes a file and returns its path.
  std::filesystem::path write(std::string_view name,
                              std::string_view text) const {
    std::ofstream out(path_ / name, std::ios::binary);
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    return path_ / name;
  }
  std::filesystem::path write(std::string_view name,
                              std::span<const std::byte> bytes) const {
    return write(name,
                 std::string_view(reinterpret_cast<const char*>(bytes.data()),
                                  bytes.size()));
  }

private:
  std::filesystem::path path_;
};

} // namespace sluice::test
