// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/map_results.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cli/line_reader.hpp"
#include "tools/cli/output.hpp"

namespace sluice::cli {
namespace {

constexpr std::size_t longest_result = 1u << 30;

bool is_regular(int fd) {
  struct stat facts {};
  return ::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
}

[[noreturn]] void fail(const std::string& path, const char* what) {
  throw output_error{path + ": " + what + ": " + std::strerror(errno)};
}

/// Where the last newline of a file ends; 0 if it has none.
off_t end_of_lines(int fd, off_t size, const std::string& path) {
  std::string block(1 << 16, '\0');
  while (size > 0) {
    const auto count = std::min<off_t>(size, static_cast<off_t>(block.size()));
    if (::pread(fd, block.data(), static_cast<std::size_t>(count),
                size - count) != count)
      fail(path, "cannot be read");
    const auto newline = std::string_view{block}
                             .substr(0, static_cast<std::size_t>(count))
                             .rfind('\n');
    size -= count;
    if (newline != std::string_view::npos)
      return size + static_cast<off_t>(newline) + 1;
  }
  return 0;
}

/// Ends the file after its last newline.
void cut_torn_line(int fd, const std::string& path) {
  const auto size = ::lseek(fd, 0, SEEK_END);
  const auto whole = end_of_lines(fd, size, path);
  if (whole != size && ::ftruncate(fd, whole) != 0)
    fail(path, "cannot be repaired");
}

} // namespace

bool finished_rows::add(std::string_view line) {
  const auto row = json::parse(line, nullptr, false);
  if (!row.is_object() || !row.contains("custom_id") || !row.contains("line") ||
      !row.contains("error") || !row["line"].is_number_unsigned())
    return false;
  ids_.insert_or_assign(row["line"].get<std::uint64_t>(),
                        to_line(row["custom_id"]));
  return true;
}

bool finished_rows::contains(std::uint64_t line, const json& custom_id) const {
  const auto found = ids_.find(line);
  if (found == ids_.end())
    return false;
  if (found->second != to_line(custom_id))
    throw client::bad_request{
        "line " + std::to_string(line) + " of the input has custom_id " +
        to_line(custom_id) + ", of the output " + found->second +
        ": the output belongs to another input; choose another --output"};
  return true;
}

result_file::result_file(const std::string& path) : path_{path} {
  if (path == "-") {
    fd_ = ::dup(STDOUT_FILENO);
    return;
  }
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd_ < 0)
    fail(path, "cannot be opened");
  try {
    read_back();
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

result_file::~result_file() {
  ::fsync(fd_);
  ::close(fd_);
}

void result_file::read_back() {
  if (!is_regular(fd_)) // a pipe or a terminal has no past
    return;
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0)
    throw client::bad_request{path_ + " is in use by another `sluice map`; "
                                      "choose another --output"};
  cut_torn_line(fd_, path_);
  ::lseek(fd_, 0, SEEK_SET);
  line_reader reader{fd_, longest_result};
  for (text_line line; reader.next(line, std::chrono::milliseconds{0}) ==
                       line_reader::status::line;)
    if (!line.text.empty() && !finished_.add(line.text))
      throw client::bad_request{
          path_ + ":" + std::to_string(line.number) +
          ": not a result of `sluice map`; choose another --output"};
}

void result_file::write(std::string line) {
  line += '\n';
  std::string_view rest{line};
  while (!rest.empty()) {
    const auto count = ::write(fd_, rest.data(), rest.size());
    if (count >= 0)
      rest.remove_prefix(static_cast<std::size_t>(count));
    else if (errno == EPIPE)
      throw output_closed{"stdout was closed"};
    else if (errno != EINTR)
      fail(path_, "cannot be written");
  }
}

} // namespace sluice::cli
