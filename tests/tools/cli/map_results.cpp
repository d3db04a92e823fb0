// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/map_results.hpp"

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "tools/cli/output.hpp"

using namespace sluice;
using namespace sluice::cli;
namespace fs = std::filesystem;

namespace {

constexpr auto row_1 = R"({"custom_id":"a","line":1,"text":"x","error":null})";
constexpr auto row_2 = R"({"custom_id":null,"line":2,"text":"y","error":null})";

class scratch_output {
public:
  scratch_output()
      : path_{fs::temp_directory_path() /
              ("sluice-map-" + std::to_string(::getpid()))} {
    fs::remove(path_);
  }
  ~scratch_output() { fs::remove(path_); }

  void fill(const std::string& text) const {
    std::ofstream{path_, std::ios::binary} << text;
  }
  std::string content() const {
    std::ifstream file{path_, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
  }
  std::string path() const { return path_.string(); }

private:
  fs::path path_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(cli_map_results)

BOOST_AUTO_TEST_CASE(a_new_file_is_written_line_by_line) {
  const scratch_output output;
  result_file results{output.path()};
  BOOST_TEST(results.finished().size() == 0u);
  results.write(row_1);
  BOOST_TEST(output.content() == std::string{row_1} + "\n");
}

BOOST_AUTO_TEST_CASE(a_torn_last_line_is_cut_off) {
  const auto whole = std::string{row_1} + "\n";
  const std::string tails[] = {
      "",
      "{",
      std::string{row_2}.substr(0, 20),
      row_2, // complete, but for its newline: it may lack more
      std::string(200'000, 'x'),
      std::string("\0\0\0", 3),
      "{\"custom_id\":\"\xc3", // torn in a character
  };
  for (const auto& tail : tails) {
    const scratch_output output;
    output.fill(whole + tail);
    {
      result_file results{output.path()};
      BOOST_TEST(results.finished().size() == 1u);
      BOOST_TEST(results.finished().contains(1, "a"));
      BOOST_TEST(!results.finished().contains(2, nullptr));
      results.write(row_2);
    }
    BOOST_TEST(output.content() == whole + row_2 + "\n");
  }
}

BOOST_AUTO_TEST_CASE(a_file_of_one_torn_line_starts_anew) {
  const scratch_output output;
  output.fill(R"({"custom_id":"a","li)");
  const result_file results{output.path()};
  BOOST_TEST(output.content() == "");
}

BOOST_AUTO_TEST_CASE(crlf_and_blank_lines_do_not_matter) {
  const scratch_output output;
  output.fill(std::string{row_1} + "\r\n\r\n\n" + row_2 + "\n");
  const result_file results{output.path()};
  BOOST_TEST(results.finished().size() == 2u);
}

BOOST_AUTO_TEST_CASE(foreign_files_are_not_touched) {
  for (const std::string text :
       {"important notes\n", "{\"a\":1}\n", "[]\n",
        "{\"custom_id\":\"a\",\"text\":\"x\"}\n", "\xff\xfe\n"}) {
    const scratch_output output;
    output.fill(text);
    BOOST_CHECK_THROW(result_file{output.path()}, client::bad_request);
    BOOST_TEST(output.content() == text);
  }
}

BOOST_AUTO_TEST_CASE(an_output_of_another_input_is_refused) {
  finished_rows rows;
  BOOST_TEST(rows.add(row_1));
  BOOST_TEST(rows.contains(1, "a"));
  BOOST_CHECK_THROW(rows.contains(1, "b"), client::bad_request);
  BOOST_CHECK_THROW(rows.contains(1, nullptr), client::bad_request);
  BOOST_TEST(!rows.contains(9, "b"));
}

BOOST_AUTO_TEST_CASE(the_same_custom_id_twice_is_two_rows) {
  finished_rows rows;
  rows.add(R"({"custom_id":"a","line":1,"error":null})");
  BOOST_TEST(rows.contains(1, "a"));
  BOOST_TEST(!rows.contains(2, "a"));
  rows.add(R"({"custom_id":"a","line":2,"error":null})");
  BOOST_TEST(rows.contains(2, "a"));
}

BOOST_AUTO_TEST_CASE(one_writer_at_a_time) {
  const scratch_output output;
  const result_file first{output.path()};
  BOOST_CHECK_THROW(result_file{output.path()}, client::bad_request);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_opened_is_named) {
  BOOST_CHECK_THROW(result_file{"/nonexistent/out.jsonl"}, output_error);
  BOOST_CHECK_NO_THROW(result_file{"/dev/null"});
}

BOOST_AUTO_TEST_SUITE_END()
