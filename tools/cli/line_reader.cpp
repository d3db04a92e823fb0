// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/line_reader.hpp"

#include <cerrno>
#include <system_error>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace sluice::cli {
namespace {

constexpr std::size_t read_bytes = 1 << 16;

} // namespace

auto line_reader::next(text_line& line, std::chrono::milliseconds wait)
    -> status {
  while (!take_line(line)) {
    if (at_end_) {
      if (!started_)
        return status::end;
      emit(line); // the last line may lack its newline
      return status::line;
    }
    if (!fill(wait))
      return status::not_yet;
  }
  return status::line;
}

/// Moves bytes from the buffer to the pending line; true at its newline.
bool line_reader::take_line(text_line& line) {
  const auto newline = buffer_.find('\n', begin_);
  const auto end = newline == std::string::npos ? buffer_.size() : newline;
  const auto count = end - begin_;
  started_ = started_ || count > 0;
  // One byte more than allowed may be the CR of a CRLF.
  overflow_ = overflow_ || pending_.size() + count > max_bytes_ + 1;
  if (overflow_)
    pending_ = {};
  else
    pending_.append(buffer_, begin_, count);
  begin_ = end;
  if (newline == std::string::npos)
    return false;
  ++begin_;
  emit(line);
  return true;
}

void line_reader::emit(text_line& line) {
  if (pending_.ends_with('\r'))
    pending_.pop_back();
  overflow_ = overflow_ || pending_.size() > max_bytes_;
  line.number = ++number_;
  line.too_long = std::exchange(overflow_, false);
  line.text = line.too_long ? std::string{} : std::move(pending_);
  pending_.clear();
  started_ = false;
}

bool line_reader::fill(std::chrono::milliseconds wait) {
  pollfd item{fd_, POLLIN, 0};
  const auto ready = ::poll(&item, 1, static_cast<int>(wait.count()));
  if (ready <= 0)
    return false; // a signal is no more than a short wait
  buffer_.resize(read_bytes);
  begin_ = 0;
  const auto count = ::read(fd_, buffer_.data(), buffer_.size());
  buffer_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  if (count < 0 && errno != EINTR && errno != EAGAIN)
    throw std::system_error{errno, std::generic_category(),
                            "cannot read the input"};
  at_end_ = count == 0;
  return count >= 0;
}

} // namespace sluice::cli
