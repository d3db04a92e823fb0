// SPDX-License-Identifier: Apache-2.0
#include "actors/endpoint.hpp"

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sluice::actors {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_ipc_path = 107; // sockaddr_un, less the NUL

std::string errno_text() {
  return std::error_code{errno, std::generic_category()}.message();
}

std::string quote(const fs::path& path) {
  return "'" + path.string() + "'";
}

bool is_default_place(const fs::path& directory) {
  return directory.lexically_normal() == default_run_dir().lexically_normal();
}

// In /tmp somebody else may have been there first.
void check_private(const fs::path& directory) {
  struct stat info {};
  if (::lstat(directory.c_str(), &info) != 0)
    throw endpoint_error{"run directory " + quote(directory) + ": " +
                         errno_text()};
  if (!S_ISDIR(info.st_mode) || info.st_uid != ::geteuid() ||
      (info.st_mode & 077) != 0)
    throw endpoint_error{"run directory " + quote(directory) +
                         " is not a folder of this user with mode 0700; "
                         "remove it or choose another with daemon.run_dir"};
}

void make_directory(const fs::path& directory) {
  std::error_code error;
  if (fs::is_directory(directory, error))
    return;
  if (const auto parent = directory.parent_path(); !parent.empty())
    fs::create_directories(parent, error);
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    throw endpoint_error{"cannot create the run directory " + quote(directory) +
                         " (" + errno_text() +
                         "); choose another with daemon.run_dir"};
}

void prepare_directory(const fs::path& directory) {
  if (directory.empty())
    return; // a name in the working directory
  make_directory(directory);
  if (is_default_place(directory))
    check_private(directory);
}

// The lock file stays when the daemon goes: removing it would let two daemons
// hold locks on two files of one name.
unique_fd lock_beside(const fs::path& socket) {
  const auto path = socket.string() + ".lock";
  unique_fd fd{
      ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd)
    throw endpoint_error{"cannot open the lock file '" + path + "' (" +
                         errno_text() +
                         "); check who owns it, or choose another run "
                         "directory with daemon.run_dir"};
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0)
    return fd;
  throw endpoint_error{"another daemon serves " + quote(socket) +
                       "; stop it, or give this one another daemon.name or "
                       "daemon.run_dir"};
}

// libzmq would unlink whatever is there.
void refuse_foreign_file(const fs::path& socket) {
  struct stat info {};
  if (::lstat(socket.c_str(), &info) != 0) {
    if (errno == ENOENT)
      return;
    throw endpoint_error{"cannot look at " + quote(socket) + ": " +
                         errno_text()};
  }
  if (!S_ISSOCK(info.st_mode))
    throw endpoint_error{quote(socket) +
                         " exists and is not a socket; move it away or choose "
                         "another endpoint"};
}

unique_fd claim_ipc(const std::string& path) {
  if (path.empty() || path.front() == '@')
    throw endpoint_error{"ipc endpoint '" + path +
                         "': abstract names have no permissions; give the path "
                         "of a file"};
  if (path.size() > longest_ipc_path)
    throw endpoint_error{"ipc endpoint " + quote(path) + " has " +
                         std::to_string(path.size()) +
                         " characters, the system takes 107; choose a shorter "
                         "daemon.run_dir"};
  prepare_directory(fs::path{path}.parent_path());
  auto lock = lock_beside(path);
  refuse_foreign_file(path);
  return lock;
}

bool is_loopback(std::string_view address) {
  const auto host = address.substr(0, address.rfind(':'));
  return host == "localhost" || host == "[::1]" ||
         (host.starts_with("127.") &&
          host.find_first_not_of("0123456789.") == std::string_view::npos);
}

void check_tcp(const std::string& address) {
  if (!is_loopback(address))
    throw endpoint_error{
        "tcp endpoint '" + address +
        "' is beyond loopback and would need CURVE keys, which this version "
        "does not have; use ipc:// or tcp://127.0.0.1:PORT"};
}

} // namespace

std::filesystem::path default_run_dir() {
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR");
      runtime && *runtime == '/')
    return fs::path{runtime} / "sluice";
  if (::geteuid() == 0)
    return "/run/sluice";
  return "/tmp/sluice-" + std::to_string(::geteuid());
}

std::string ipc_endpoint(const std::filesystem::path& directory,
                         std::string_view name, std::string_view purpose) {
  const auto file = std::string{name} + "-" + std::string{purpose} + ".sock";
  return "ipc://" + (directory / file).string();
}

endpoint_claim::endpoint_claim(std::string endpoint)
    : endpoint_{std::move(endpoint)} {
  const auto split = endpoint_.find("://");
  const auto scheme = endpoint_.substr(0, split);
  const auto rest =
      split == std::string::npos ? "" : endpoint_.substr(split + 3);
  if (scheme == "ipc")
    lock_ = claim_ipc(rest);
  else if (scheme == "tcp")
    check_tcp(rest);
  else if (scheme != "inproc" || rest.empty())
    throw endpoint_error{"endpoint '" + endpoint_ +
                         "' is not of a known kind; use ipc://PATH, "
                         "tcp://127.0.0.1:PORT or inproc://NAME"};
}

} // namespace sluice::actors
