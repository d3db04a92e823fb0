// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/input_file.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cli/line_reader.hpp"
#include "tools/client/events.hpp"

namespace sluice::cli {

input_file::input_file(const std::string& path)
    : fd_{path == "-" ? ::dup(STDIN_FILENO)
                      : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)} {
  if (fd_ < 0)
    throw client::bad_request{
        path + ": cannot be read: " + std::strerror(errno) + "; check --input"};
}

input_file::~input_file() {
  ::close(fd_);
}

std::uint64_t input_file::count_rows() const {
  struct stat facts {};
  if (::fstat(fd_, &facts) != 0 || !S_ISREG(facts.st_mode))
    return 0;
  std::uint64_t rows = 0;
  text_line line;
  for (line_reader reader{fd_, 0};
       reader.next(line, std::chrono::milliseconds{0}) ==
       line_reader::status::line;)
    rows += line.too_long; // longer than 0 bytes: not blank
  ::lseek(fd_, 0, SEEK_SET);
  return rows;
}

std::string read_all(const std::string& path, const char* flag) {
  const auto slurp = [](std::istream& in) {
    return std::string{std::istreambuf_iterator<char>{in}, {}};
  };
  if (path == "-")
    return slurp(std::cin);
  std::ifstream file{path, std::ios::binary};
  if (!file)
    throw client::bad_request{path + ": cannot be read; check " + flag};
  return slurp(file);
}

} // namespace sluice::cli
