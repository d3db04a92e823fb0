// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sluice {

/// Why a model file was refused. Stable names: tests and the wire's error
/// table refer to them.
enum class model_fault : std::uint8_t {
  io,           ///< the file cannot be opened or read
  not_a_model,  ///< neither GGUF nor safetensors nor a model directory
  truncated,    ///< a field or a tensor lies past the end of the file
  limit,        ///< a count or length above the published limit
  overflow,     ///< arithmetic on numbers from the file does not fit 64 bits
  malformed,    ///< a value breaks the format's grammar
  duplicate,    ///< a key, tensor or shard appears twice
  missing,      ///< a required key, tensor or shard is absent
  wrong_type,   ///< a key has another type or count than its reader needs
  bad_shape,    ///< a tensor's shape disagrees with the architecture
  bad_layout,   ///< tensor data is unaligned, overlapping or has holes
  unsupported,  ///< well-formed, but of a kind this build does not run
  out_of_memory ///< the weights do not fit into memory
};

/// @return the fault's stable name, e.g. "bad_layout".
std::string_view name(model_fault fault);

/// Where a fault was found: every check carries one so that the error text
/// names the file and the tensor or key. Views must outlive the call only.
struct fault_site {
  std::string_view file;
  std::string_view subject; ///< "tensor 'x'", "key 'y'", "header"; may be ""
};

/// Copies `text` for an error message: control bytes and bytes that are not
/// ASCII become '?', and more than `longest` characters are cut with "...".
std::string printable(std::string_view text, std::size_t longest = 80);

/// A model file that is refused. `what()` is one line: file, subject, the rule
/// that was broken and the remedy.
class model_error : public std::runtime_error {
public:
  model_error(model_fault code, fault_site site, std::string_view rule,
              std::string_view remedy);

  model_fault code() const noexcept { return code_; }
  const std::string& file() const noexcept { return file_; }
  const std::string& subject() const noexcept { return subject_; }

private:
  model_fault code_;
  std::string file_;
  std::string subject_;
};

/// The remedy for most damaged files.
inline constexpr std::string_view download_again =
    "the file is damaged or hostile; fetch it again from a source you trust";

} // namespace sluice
