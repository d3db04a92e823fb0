// SPDX-License-Identifier: Apache-2.0
#include "config/load.hpp"

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "config/dump.hpp"
#include "config/options.hpp"

using namespace sluice::config;
namespace fs = std::filesystem;

namespace {

/// A file that is gone at the end of the test.
class scratch_file {
public:
  explicit scratch_file(const std::string& text)
      : path_{fs::temp_directory_path() /
              ("sluice-config-" + std::to_string(::getpid()) + ".toml")} {
    std::ofstream{path_, std::ios::binary} << text;
  }
  ~scratch_file() { fs::remove(path_); }

  const fs::path& path() const { return path_; }

private:
  fs::path path_;
};

loaded_config load_text(const std::string& text) {
  const scratch_file file{text};
  return load({file.path(), {}, {}});
}

/// The error's text, or nothing if there is none.
std::string error_of(const sources& from) {
  try {
    load(from);
    return {};
  } catch (const config_error& error) {
    return error.what();
  }
}

std::string error_of_text(const std::string& text) {
  const scratch_file file{text};
  return error_of({file.path(), {}, {}});
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_SUITE(config_load)

BOOST_AUTO_TEST_CASE(later_sources_win) {
  const scratch_file file{"[memory]\npage_tokens = 32\nkv_type = \"bf16\"\n"
                          "[log]\nlevel = \"warn\"\n"};
  const auto loaded = load(
      {file.path(),
       {{"SLUICE_MEMORY_PAGE_TOKENS", "64"}, {"SLUICE_LOG_LEVEL", "debug"}},
       {{"log.level", "error"}}});
  BOOST_TEST(loaded.values.memory.kv_type == "bf16");
  BOOST_TEST(loaded.values.memory.page_tokens == 64u);
  BOOST_TEST(loaded.values.log.level == "error");
  BOOST_TEST(loaded.values.limits.queue == 4096u);
  BOOST_TEST(loaded.origins.at("memory.kv_type") ==
             file.path().string() + ":3");
  BOOST_TEST(loaded.origins.at("memory.page_tokens") ==
             "SLUICE_MEMORY_PAGE_TOKENS");
  BOOST_TEST(loaded.origins.at("log.level") == "--log.level");
  BOOST_TEST(loaded.origins.count("limits.queue") == 0u);
}

BOOST_AUTO_TEST_CASE(every_type_is_read) {
  const auto values = load_text("[executor]\nthreads = 3\npin = false\n"
                                "[memory]\nkv_bytes = \"8GiB\"\n"
                                "[limits]\nframe_bytes = 4096\n"
                                "[clients]\nheartbeat = \"250ms\"\n")
                          .values;
  BOOST_TEST(values.executor.threads == 3u);
  BOOST_TEST(!values.executor.pin);
  BOOST_TEST(values.memory.kv_bytes.count == 8ull << 30);
  BOOST_TEST(values.limits.frame_bytes.count == 4096u);
  BOOST_TEST(values.clients.heartbeat.count() == 250);
}

BOOST_AUTO_TEST_CASE(dotted_and_inline_tables_are_the_same) {
  BOOST_TEST(load_text("memory.page_tokens = 8\n").values.memory.page_tokens ==
             8u);
  BOOST_TEST(
      load_text("memory = {page_tokens = 8}\n").values.memory.page_tokens ==
      8u);
}

BOOST_AUTO_TEST_CASE(unknown_keys_are_errors_with_a_suggestion) {
  const std::pair<const char*, const char*> rows[] = {
      {"[memory]\nkv_byte = \"1GiB\"\n", "did you mean 'memory.kv_bytes'?"},
      {"[limit]\nqueue = 4\n", "did you mean 'limits.queue'?"},
      {"[daemon]\nqueue = 4\n", "did you mean 'limits.queue'?"},
      {"kv_bytes = 1\n", "did you mean 'memory.kv_bytes'?"},
      {"[zebra]\ncrossing = 1\n", "`sluice config print` lists all options"},
      {"[memory.kv_bytes]\nx = 1\n", "unknown option 'memory.kv_bytes.x'"},
      {"[[memory]]\nkv_bytes = 1\n", "unknown option 'memory'"},
  };
  for (const auto& [text, expected] : rows)
    BOOST_TEST(has(error_of_text(text), expected),
               text << " -> " << error_of_text(text));
}

BOOST_AUTO_TEST_CASE(errors_name_file_and_line) {
  const auto text = error_of_text("[memory]\n\nkv_bytes = \"8 gigs\"\n");
  BOOST_TEST(has(text, ".toml:3: memory.kv_bytes: '8 gigs' is not a size"));
}

BOOST_AUTO_TEST_CASE(hostile_files_are_refused_in_one_line) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i)
    deep += '[';
  const std::string rows[] = {
      "[memory\nkv_bytes = 1\n",
      "[memory]\nkv_bytes = 1\nkv_bytes = 2\n",
      "[memory]\npage_tokens = \"16\"\n",
      "[memory]\npage_tokens = 16.0\n",
      "[memory]\npage_tokens = -1\n",
      "[memory]\npage_tokens = 99999999999999999999\n",
      "[memory]\npage_tokens = 4294967312\n",
      "[memory]\npage_tokens = [16]\n",
      "[memory]\nkv_bytes = -1\n",
      "[memory]\nkv_bytes = 1\n",
      "[executor]\npin = 1\n",
      "[executor]\npin = \"true\"\n",
      "[clients]\nheartbeat = 500\n",
      "[clients]\nheartbeat = 1979-05-27T07:32:00Z\n",
      "[log]\nlevel = \"loud\"\n",
      "[daemon]\nname = \"../../etc\"\n",
      "[daemon]\nname = \"\"\n",
      "[model]\npath = \"a\\u0000b\"\n",
      "[model]\npath = \"a\\nb\"\n",
      "[model]\npath = \"\xff\xfe\"\n",
      std::string("[model]\npath = \"a\0b\"\n", 22),
      "\xef\xbb\xbf\xef\xbb\xbf",
      "x = " + deep,
      std::string(2u << 20, '#'),
  };
  for (const auto& text : rows) {
    const auto error = error_of_text(text);
    BOOST_TEST(!error.empty(), text.substr(0, 60));
    BOOST_TEST(!has(error, "\n"), error);
  }
}

BOOST_AUTO_TEST_CASE(a_file_must_be_a_file) {
  BOOST_TEST(has(error_of({fs::path{"/nonexistent.toml"}, {}, {}}),
                 "/nonexistent.toml: no such file"));
  BOOST_TEST(!error_of({fs::path{"/dev/zero"}, {}, {}}).empty());
  BOOST_TEST(!error_of({fs::temp_directory_path(), {}, {}}).empty());
}

BOOST_AUTO_TEST_CASE(an_empty_file_means_the_defaults) {
  const auto defaults = dump_toml({}, dump_style::plain);
  BOOST_TEST(dump_toml(load_text(""), dump_style::plain) == defaults);
  BOOST_TEST(dump_toml(load_text("\r\n# nothing\r\n"), dump_style::plain) ==
             defaults);
}

BOOST_AUTO_TEST_CASE(variables_of_others_are_left_alone) {
  const auto with = [](std::string name) {
    return error_of({{}, {{std::move(name), "1"}}, {}});
  };
  BOOST_TEST(with("SLUICE_BUILD_DIR") == "");
  BOOST_TEST(with("SLUICE_MEMORY") == "");
  BOOST_TEST(has(with("SLUICE_LOG_LEVLE"), "did you mean 'log.level'?"));
  BOOST_TEST(has(with("SLUICE_LIMITS_QUEU"), "did you mean 'limits.queue'?"));
}

BOOST_AUTO_TEST_CASE(unknown_flags_are_errors) {
  BOOST_TEST(has(error_of({{}, {}, {{"memory.kvbytes", "1GiB"}}}),
                 "did you mean 'memory.kv_bytes'?"));
}

BOOST_AUTO_TEST_CASE(contradictions_are_errors) {
  BOOST_TEST(has(error_of({{}, {}, {{"limits.window_bytes", "1GiB"}}}),
                 "limits.window_bytes is larger than limits.windows_bytes"));
  BOOST_TEST(has(error_of({{}, {}, {{"memory.page_tokens", "24"}}}),
                 "24 is not a power of two"));
  BOOST_TEST(has(error_of({{}, {}, {{"clients.heartbeat", "9s"}}}),
                 "clients.heartbeat is larger than "
                 "clients.heartbeat_timeout"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(config_options)

BOOST_AUTO_TEST_CASE(keys_are_unique_and_documented) {
  config values;
  std::vector<std::string> seen;
  for (const auto& o : options(values)) {
    BOOST_TEST(!o.help.empty());
    BOOST_TEST(o.help.back() != '.');
    seen.push_back(environment_name(o.key));
  }
  std::sort(seen.begin(), seen.end());
  BOOST_TEST((std::adjacent_find(seen.begin(), seen.end()) == seen.end()));
}

BOOST_AUTO_TEST_CASE(defaults_are_allowed_values) {
  config values;
  for (const auto& o : options(values))
    BOOST_CHECK_NO_THROW(set(o, get(o)));
  BOOST_CHECK_NO_THROW(validate(config{}));
}

BOOST_AUTO_TEST_CASE(every_option_is_read_from_every_source) {
  config values;
  for (const auto& o : options(values)) {
    const auto variable = load({{}, {{environment_name(o.key), get(o)}}, {}});
    BOOST_TEST(variable.origins.count(o.key) == 1u, o.key);
    const auto flag = load({{}, {}, {{std::string{o.key}, get(o)}}});
    BOOST_TEST(flag.origins.count(o.key) == 1u, o.key);
  }
}

BOOST_AUTO_TEST_CASE(the_committed_file_is_the_defaults) {
  const fs::path path{SLUICE_SOURCE_DIR "/config/sluice.toml"};
  std::ifstream file{path, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  BOOST_TEST(text == dump_toml({}, dump_style::with_help));
  const auto loaded = load({path, {}, {}});
  config values;
  BOOST_TEST(loaded.origins.size() == options(values).size());
  BOOST_TEST(dump_toml(loaded, dump_style::plain) ==
             dump_toml({}, dump_style::plain));
}

BOOST_AUTO_TEST_CASE(a_dump_reads_back) {
  loaded_config changed;
  changed.values.model.path = "C:\\models\\\"quoted\" # no comment";
  changed.values.limits.prompt_bytes = byte_size{123'457};
  changed.values.executor.pin = false;
  const auto text = dump_toml(changed, dump_style::plain);
  BOOST_TEST(dump_toml(load_text(text), dump_style::plain) == text);
}

BOOST_AUTO_TEST_CASE(json_has_values_and_origins) {
  const auto loaded = load({{}, {{"SLUICE_EXECUTOR_THREADS", "2"}}, {}});
  const auto json = nlohmann::json::parse(dump_json(loaded));
  BOOST_TEST(json["executor"]["threads"]["value"] == 2);
  BOOST_TEST(json["executor"]["threads"]["origin"] ==
             "SLUICE_EXECUTOR_THREADS");
  BOOST_TEST(json["memory"]["kv_bytes"]["value"] == "512MiB");
  BOOST_TEST(json["memory"]["kv_bytes"]["origin"] == "default");
}

BOOST_AUTO_TEST_CASE(help_lists_every_option) {
  config values;
  const auto help = option_help();
  for (const auto& o : options(values))
    BOOST_TEST(has(help, "--" + std::string{o.key} + "  SLUICE_"), o.key);
}

BOOST_AUTO_TEST_SUITE_END()
