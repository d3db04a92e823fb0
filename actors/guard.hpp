// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>

#include <spdlog/spdlog.h>

namespace sluice::actors {

/// Tells a state that one of its handlers threw. A state that knows whom it
/// concerns (a request to fail, a step to give up) offers `broken(text)`.
template <class State>
void report_broken_handler(State& state, const char* text) noexcept {
  try {
    spdlog::error("{}: a handler threw: {}", State::name, text);
    if constexpr (requires { state.broken(text); })
      state.broken(text);
  } catch (...) {
    // Nothing is left to tell it to.
  }
}

/// Makes a handler of a state's member function: one line of a behaviour.
/// In CAF 0.17 a throwing handler kills its actor and the caller gets an empty
/// error; here the exception is logged, the state is told, and the actor lives.
/// @param self  the actor, which outlives the handler.
template <class Self, class State, class R, class... Args>
auto guarded(Self* self, R (State::*method)(Args...)) {
  return [self, method](Args... args) -> R {
    // By name: GCC 12's UBSan loses the object in (self->state.*method)().
    State& state = self->state;
    try {
      return (state.*method)(std::move(args)...);
    } catch (const std::exception& error) {
      report_broken_handler(state, error.what());
    } catch (...) {
      report_broken_handler(state, "not an exception");
    }
    if constexpr (!std::is_void_v<R>)
      return R{};
  };
}

/// The same for a handler that begins with an atom.
template <class Atom, class Self, class State, class R, class... Args>
auto guarded_on(Self* self, R (State::*method)(Args...)) {
  return [inner = guarded(self, method)](Atom, Args... args) mutable -> R {
    return inner(std::move(args)...);
  };
}

} // namespace sluice::actors
