// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/body_hash.hpp"

#include <memory>

#include <xxhash.h>

#include "messages/frame.hpp"

namespace sluice::policy {
namespace {

template <class Table>
void fill_in(std::unique_ptr<Table>& table) {
  if (!table)
    table = std::make_unique<Table>();
}

} // namespace

body_hash hash_body(const messages::Submit& request) {
  messages::SubmitT body;
  request.UnPackTo(&body);
  fill_in(body.sampling);
  fill_in(body.stopping);
  fill_in(body.cascade);
  fill_in(body.beam);
  const auto canonical = messages::pack<messages::Submit>(body);
  const auto bytes = canonical.bytes();
  const auto hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

} // namespace sluice::policy
