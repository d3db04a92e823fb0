// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/map_job.hpp"

#include <algorithm>
#include <utility>

#include "tools/cli/retry.hpp"

namespace sluice::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds patience{100}; // for events, or for input
constexpr milliseconds glance{10};    // for events, when input may come

} // namespace

bool map_job::step() {
  fill();
  if (in_flight_.empty() && postponed_.empty() && input_ended_)
    return false;
  const bool idle = !input_ended_ && in_flight_.size() < settings_.concurrency;
  const auto wait = idle ? glance : patience;
  for (const auto& event : client_.poll(wait))
    handle(event);
  return true;
}

void map_job::fill() {
  while (in_flight_.size() < settings_.concurrency) {
    auto row = next_row();
    if (!row)
      return;
    send(std::move(*row));
  }
}

auto map_job::next_row() -> std::optional<entry> {
  if (auto row = take_due())
    return row;
  // A daemon that is full gets nothing new before the old.
  return postponed_.empty() ? read_row() : std::nullopt;
}

auto map_job::take_due() -> std::optional<entry> {
  const auto now = std::chrono::steady_clock::now();
  const auto due = [&](const later& l) { return l.when <= now; };
  const auto found = std::find_if(postponed_.begin(), postponed_.end(), due);
  if (found == postponed_.end())
    return std::nullopt;
  auto row = std::move(found->row);
  postponed_.erase(found);
  return row;
}

auto map_job::read_row() -> std::optional<entry> {
  for (entry row;;) {
    const auto wait = in_flight_.empty() ? patience : milliseconds{0};
    const auto status = input_.next(row.line, wait);
    input_ended_ = status == line_reader::status::end;
    if (status != line_reader::status::line)
      return std::nullopt;
    if (!row.line.text.empty() || row.line.too_long)
      return row;
  }
}

void map_job::send(entry row) {
  auto parsed = parse_row(row.line, settings_.defaults);
  row.custom_id = parsed.custom_id;
  if (row.tries == 0 &&
      output_.finished().contains(row.line.number, row.custom_id)) {
    ++counts_.skipped;
    return;
  }
  if (const auto* problem = std::get_if<client::failure>(&parsed.request))
    return fail(row, *problem);
  try {
    const auto id =
        client_.submit(std::move(std::get<messages::SubmitT>(parsed.request)));
    ++row.tries;
    in_flight_.emplace(id, std::move(row));
  } catch (const client::bad_request& error) {
    fail(row, {messages::ErrorCode::invalid_argument, error.what()});
  }
}

void map_job::handle(const client::event& event) {
  const auto found = in_flight_.find(event.id);
  if (found == in_flight_.end())
    return;
  if (const auto* chunk = std::get_if<client::chunk_frame>(&event.what))
    return found->second.text.take(**chunk);
  if (std::holds_alternative<client::accepted>(event.what))
    return;
  auto row = std::move(found->second);
  in_flight_.erase(found);
  if (const auto* end = std::get_if<client::finished>(&event.what))
    finish(row, *end);
  else
    fail(row, std::get<client::failure>(event.what));
}

void map_job::finish(entry& row, const client::finished& end) {
  if (end.reason == messages::FinishReason::cancelled ||
      end.reason == messages::FinishReason::disconnected)
    return fail(row, {messages::ErrorCode::shutdown,
                      "the daemon ended the request; it is tried again"});
  output_.write(format_result(row.custom_id, row.line.number, row.text, end));
  ++counts_.done;
}

void map_job::fail(entry& row, const client::failure& failure) {
  if (const auto pause = pause_before_retry(failure, row.tries)) {
    row.text = {};
    postponed_.push_back(
        {std::chrono::steady_clock::now() + *pause, std::move(row)});
    return;
  }
  output_.write(format_failure(row.custom_id, row.line.number, failure));
  ++counts_.failed;
}

} // namespace sluice::cli
