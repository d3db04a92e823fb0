// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/line_reader.hpp"

#include <cstdio>
#include <vector>

#include <unistd.h>

#include <boost/test/unit_test.hpp>

using namespace sluice::cli;
using namespace std::chrono_literals;

namespace {

/// An unnamed file with some content.
class memory_file {
public:
  explicit memory_file(const std::string& text) : file_{std::tmpfile()} {
    std::fwrite(text.data(), 1, text.size(), file_);
    std::fflush(file_);
    std::rewind(file_);
  }
  ~memory_file() { std::fclose(file_); }

  int fd() const { return fileno(file_); }

private:
  std::FILE* file_;
};

struct seen_line {
  std::uint64_t number;
  std::string text;
  bool too_long;

  bool operator==(const seen_line&) const = default;
};

std::ostream& operator<<(std::ostream& out, const seen_line& line) {
  return out << line.number << ":" << line.text << ":" << line.too_long;
}

std::vector<seen_line> lines_of(const std::string& text,
                                std::size_t max_bytes = 100) {
  const memory_file file{text};
  line_reader reader{file.fd(), max_bytes};
  std::vector<seen_line> lines;
  text_line line;
  while (reader.next(line, 0ms) == line_reader::status::line)
    lines.push_back({line.number, line.text, line.too_long});
  return lines;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cli_line_reader)

BOOST_AUTO_TEST_CASE(line_ends_are_understood) {
  using expected = std::vector<seen_line>;
  const std::pair<std::string, expected> rows[] = {
      {"", {}},
      {"\n", {{1, "", false}}},
      {"a", {{1, "a", false}}},
      {"a\n", {{1, "a", false}}},
      {"a\nb", {{1, "a", false}, {2, "b", false}}},
      {"a\r\nb\r\n", {{1, "a", false}, {2, "b", false}}},
      {"a\r", {{1, "a", false}}},
      {"a\rb\n", {{1, "a\rb", false}}},
      {"\n\nx\n", {{1, "", false}, {2, "", false}, {3, "x", false}}},
      {std::string("a\0b\n", 4), {{1, std::string("a\0b", 3), false}}},
  };
  for (const auto& [text, lines] : rows) {
    const auto found = lines_of(text);
    BOOST_TEST(found == lines, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(long_lines_are_skipped_and_counted) {
  using expected = std::vector<seen_line>;
  const auto found = lines_of("abc\nabcd\nabc\r\nabcd\r\nabcde\nx", 3);
  const expected lines{{1, "abc", false}, {2, "", true}, {3, "abc", false},
                       {4, "", true},     {5, "", true}, {6, "x", false}};
  BOOST_TEST(found == lines, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_line_of_64_mib_passes_or_is_skipped) {
  constexpr std::size_t size = 64u << 20;
  const auto text = std::string(size, 'x') + "\nend\n";
  const auto skipped = lines_of(text, 1u << 20);
  BOOST_REQUIRE(skipped.size() == 2u);
  BOOST_TEST(skipped[0].too_long);
  BOOST_TEST(skipped[1].text == "end");
  const auto taken = lines_of(text, size);
  BOOST_REQUIRE(taken.size() == 2u);
  BOOST_TEST(taken[0].text.size() == size);
}

BOOST_AUTO_TEST_CASE(a_pipe_is_read_as_it_fills) {
  int ends[2];
  BOOST_REQUIRE(::pipe(ends) == 0);
  line_reader reader{ends[0], 100};
  text_line line;
  const auto send = [&](std::string_view text) {
    BOOST_REQUIRE(::write(ends[1], text.data(), text.size()) ==
                  static_cast<ssize_t>(text.size()));
  };
  BOOST_TEST((reader.next(line, 0ms) == line_reader::status::not_yet));
  send("fir");
  BOOST_TEST((reader.next(line, 0ms) == line_reader::status::not_yet));
  send("st\nsecond\nthi");
  BOOST_TEST((reader.next(line, 0ms) == line_reader::status::line));
  BOOST_TEST(line.text == "first");
  BOOST_TEST((reader.next(line, 0ms) == line_reader::status::line));
  BOOST_TEST(line.text == "second");
  BOOST_TEST((reader.next(line, 0ms) == line_reader::status::not_yet));
  ::close(ends[1]);
  BOOST_TEST((reader.next(line, 0ms) == line_reader::status::line));
  BOOST_TEST(line.text == "thi");
  BOOST_TEST((reader.next(line, 0ms) == line_reader::status::end));
  BOOST_TEST((reader.next(line, 0ms) == line_reader::status::end));
  ::close(ends[0]);
}

BOOST_AUTO_TEST_SUITE_END()
