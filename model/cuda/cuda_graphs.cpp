// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_graphs.hpp"

#include <algorithm>
#include <exception>

namespace sluice {

namespace {

// Whatever work() throws, the stream records no longer.
cuda::graph record(const std::function<void(cuda::stream&)>& work,
                   cuda::stream& in) {
  in.begin_recording();
  try {
    work(in);
  } catch (...) {
    try {
      in.end_recording();
    } catch (const std::exception&) { // what is told is why work() failed
    }
    throw;
  }
  return in.end_recording();
}

} // namespace

void cuda_graphs::run(const cuda_graph_key& key,
                      const std::function<void(cuda::stream&)>& work,
                      cuda::stream& in) {
  const auto known =
      std::find_if(entries_.begin(), entries_.end(),
                   [&](const auto& entry) { return entry.key == key; });
  if (known == entries_.end()) {
    work(in); // a kernel's first start loads it, which no graph may record
    entries_.push_back({key, {}});
    return;
  }
  if (known->graph.empty())
    known->graph = record(work, in);
  in.run(known->graph);
}

} // namespace sluice
