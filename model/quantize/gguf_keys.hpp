// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/architecture.hpp"
#include "model/gguf_writer.hpp"
#include "model/tokenizer/gguf_vocabulary.hpp"

#include <string>

namespace sluice {

/// The GGUF architecture of a family: mistral files carry "llama".
std::string gguf_family(const architecture& arch);

/// The order of the rows of q and k that files of this family have.
rope_layout gguf_rope_layout(const architecture& arch);

/// Describes an architecture, so that `architecture_from_gguf` reads it back.
/// The llama3 scaling has no key: its divisors are a tensor, "rope_freqs".
void add_architecture_keys(const architecture& arch, const std::string& name,
                           gguf_writer& out);

/// Writes tokenizer.ggml.*, so that `read_gguf_vocabulary` reads it back.
void add_vocabulary_keys(const gguf_vocabulary& words, gguf_writer& out);

/// Carries the keys of another GGUF file over, but for what describes its
/// tensors' types, its alignment and how it was split.
void copy_keys(const gguf_metadata& from, gguf_writer& out);

} // namespace sluice
