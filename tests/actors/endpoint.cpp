// SPDX-License-Identifier: Apache-2.0
#include "actors/endpoint.hpp"

#include <cstdlib>
#include <fstream>
#include <optional>

#include <boost/test/unit_test.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/temporary_directory.hpp"

namespace {

using namespace sluice::actors;
using sluice::test::temporary_directory;

namespace fs = std::filesystem;

std::string failure_of(const std::string& endpoint) {
  try {
    endpoint_claim claim{endpoint};
    return "";
  } catch (const endpoint_error& error) {
    return error.what();
  }
}

/// Sets XDG_RUNTIME_DIR for a while.
class runtime_dir {
public:
  explicit runtime_dir(const fs::path& path) {
    if (const char* value = std::getenv("XDG_RUNTIME_DIR"))
      before_ = value;
    ::setenv("XDG_RUNTIME_DIR", path.c_str(), 1);
  }
  ~runtime_dir() {
    if (before_)
      ::setenv("XDG_RUNTIME_DIR", before_->c_str(), 1);
    else
      ::unsetenv("XDG_RUNTIME_DIR");
  }

private:
  std::optional<std::string> before_;
};

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  BOOST_TEST(::lstat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

// What a daemon leaves behind that was killed.
void leave_stale_socket(const std::string& path) {
  const unique_fd fd{::socket(AF_UNIX, SOCK_STREAM, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  BOOST_TEST(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address),
                    sizeof address) == 0);
}

BOOST_AUTO_TEST_SUITE(endpoint_suite)

BOOST_AUTO_TEST_CASE(bad_endpoints_are_refused_with_the_remedy) {
  struct row {
    const char* endpoint;
    const char* says; // empty: it is fine
  };
  const row rows[] = {
      {"inproc://control", ""},
      {"inproc://", "not of a known kind"},
      {"tcp://127.0.0.1:5555", ""},
      {"tcp://127.1.2.3:*", ""},
      {"tcp://localhost:5555", ""},
      {"tcp://[::1]:5555", ""},
      {"tcp://*:5555", "beyond loopback"},
      {"tcp://0.0.0.0:5555", "CURVE"},
      {"tcp://192.168.1.1:5555", "beyond loopback"},
      {"tcp://127.evil.example:5555", "beyond loopback"},
      {"tcp://eth0:5555", "beyond loopback"},
      {"tcp://[::]:5555", "beyond loopback"},
      {"ipc://@abstract", "abstract"},
      {"ipc://", "abstract"},
      {"ipc://*", ""},
      {"udp://127.0.0.1:1", "not of a known kind"},
      {"/tmp/socket", "not of a known kind"},
      {"", "not of a known kind"},
  };
  temporary_directory here;
  const auto before = fs::current_path();
  fs::current_path(here.path());
  for (const auto& [endpoint, says] : rows) {
    const auto text = failure_of(endpoint);
    BOOST_TEST(text.empty() == (*says == '\0'), endpoint << ": " << text);
    BOOST_TEST(text.find(says) != std::string::npos, endpoint << ": " << text);
    BOOST_TEST(text.find('\n') == std::string::npos);
  }
  fs::current_path(before);
}

BOOST_AUTO_TEST_CASE(paths_may_have_107_characters) {
  temporary_directory here;
  const auto base = here.path().string() + "/";
  const std::string fits(107 - base.size(), 's');
  BOOST_TEST(failure_of("ipc://" + base + fits) == "");
  const auto text = failure_of("ipc://" + base + fits + "s");
  BOOST_TEST(text.find("has 108 characters") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(an_endpoint_has_one_owner_at_a_time) {
  temporary_directory here;
  const auto endpoint = ipc_endpoint(here.path(), "sluice", "control");
  BOOST_TEST(endpoint ==
             "ipc://" + here.path().string() + "/sluice-control.sock");
  {
    const endpoint_claim first{endpoint};
    const auto text = failure_of(endpoint);
    BOOST_TEST(text.find("another daemon serves") != std::string::npos, text);
    BOOST_TEST(failure_of(ipc_endpoint(here.path(), "other", "control")) == "");
  }
  BOOST_TEST(failure_of(endpoint) == ""); // the lock file alone is no obstacle
}

BOOST_AUTO_TEST_CASE(stale_sockets_are_replaced_and_other_files_are_not) {
  temporary_directory here;
  const auto stale = (here.path() / "stale").string();
  leave_stale_socket(stale);
  BOOST_TEST(failure_of("ipc://" + stale) == "");
  const auto foreign = here.write("letter", std::string_view{"dear"});
  const auto text = failure_of("ipc://" + foreign.string());
  BOOST_TEST(text.find("is not a socket") != std::string::npos, text);
  std::string content;
  std::ifstream{foreign} >> content;
  BOOST_TEST(content == "dear");
  fs::create_symlink(foreign, here.path() / "link");
  BOOST_TEST(failure_of("ipc://" + (here.path() / "link").string()) != "");
}

BOOST_AUTO_TEST_CASE(the_default_folder_is_made_private) {
  temporary_directory here;
  const runtime_dir set{here.path()};
  const auto folder = here.path() / "sluice";
  BOOST_TEST(default_run_dir() == folder);
  const auto endpoint = ipc_endpoint(default_run_dir(), "sluice", "control");
  BOOST_TEST(failure_of(endpoint) == "");
  BOOST_TEST(mode_of(folder) == 0700u);
  BOOST_TEST(mode_of(folder / "sluice-control.sock.lock") == 0600u);
  fs::permissions(folder, fs::perms{0755});
  const auto text = failure_of(endpoint);
  BOOST_TEST(text.find("mode 0700") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(a_link_in_place_of_the_default_folder_is_refused) {
  temporary_directory here;
  const runtime_dir set{here.path()};
  fs::create_directory(here.path() / "elsewhere");
  fs::create_directory_symlink(here.path() / "elsewhere",
                               here.path() / "sluice");
  const auto text =
      failure_of(ipc_endpoint(default_run_dir(), "sluice", "control"));
  BOOST_TEST(text.find("not a folder of this user") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(missing_folders_are_created) {
  temporary_directory here;
  const auto folder = here.path() / "a" / "b";
  BOOST_TEST(failure_of(ipc_endpoint(folder, "sluice", "control")) == "");
  BOOST_TEST(mode_of(folder) == 0700u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
