// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/file.hpp"

#include "tests/model/checkpoint/allocation_watch.hpp"
#include "tests/model/checkpoint/refusal.hpp"
#include "tests/support/temporary_directory.hpp"

#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(file)

BOOST_AUTO_TEST_CASE(reads_stay_inside_the_file) {
  const temporary_directory folder;
  const model_file file(folder.write("f", "0123456789"));
  BOOST_TEST(file.size_bytes() == 10u);
  BOOST_TEST(file.name() == "f");
  BOOST_TEST((file.slice(8, 2)[1] == std::byte{'9'}));
  BOOST_TEST(file.slice(10, 0).empty());
  constexpr auto most = ~std::uint64_t{0};
  const std::pair<std::uint64_t, std::uint64_t> outside[] = {
      {0, 11}, {10, 1}, {11, 0}, {most, 1}, {most, most}, {5, most - 2}};
  for (const auto& [offset, length] : outside) {
    const allocation_watch watch;
    check_refused("slice", model_fault::truncated,
                  [&] { file.slice(offset, length); });
    BOOST_TEST(watch.largest_bytes() < 4096u);
  }
}

BOOST_AUTO_TEST_CASE(only_regular_files_open) {
  const temporary_directory folder;
  const auto pipe = folder.path() / "pipe";
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const auto& path : {pipe, folder.path(), folder.path() / "absent",
                           std::filesystem::path("/dev/zero")})
    check_refused(path.string(), model_fault::io, [&] { model_file{path}; });
}

BOOST_AUTO_TEST_CASE(a_file_that_shrinks_is_an_error_not_a_crash) {
  const temporary_directory folder;
  const auto path = folder.write("f", std::string(100'000, 'x'));
  const model_file file(path);
  std::filesystem::resize_file(path, 1'000);
  check_refused("shrunk", model_fault::truncated,
                [&] { file.slice(50'000, 10); });
}

BOOST_AUTO_TEST_CASE(descriptors_do_not_leak_into_children) {
  const temporary_directory folder;
  const auto path = folder.write("f", "x");
  const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(next);
  model_file file(path); // takes the lowest free number
  BOOST_TEST((::fcntl(next, F_GETFD) & FD_CLOEXEC) != 0);
  const model_file moved(std::move(file));
  BOOST_TEST(moved.slice(0, 1).size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
