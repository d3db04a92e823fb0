// SPDX-License-Identifier: Apache-2.0
#include "model/utf8_repair.hpp"

namespace sluice {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD

} // namespace

void utf8_repair::push(std::string_view bytes, std::string& out) {
  for (char byte : bytes)
    push_byte(static_cast<unsigned char>(byte), out);
}

void utf8_repair::flush(std::string& out) {
  if (count_ > 0)
    out.append(replacement);
  count_ = 0;
}

void utf8_repair::push_byte(unsigned char byte, std::string& out) {
  if (count_ == 0)
    return begin(byte, out);
  if (byte < low_ || byte > high_) {
    flush(out);
    return begin(byte, out);
  }
  tail_[count_++] = static_cast<char>(byte);
  low_ = 0x80;
  high_ = 0xBF;
  if (count_ < expected_)
    return;
  out.append(tail_.data(), count_);
  count_ = 0;
}

/// The Unicode Standard, table 3-7: what may follow each first byte.
void utf8_repair::begin(unsigned char byte, std::string& out) {
  if (byte < 0x80)
    return out.push_back(static_cast<char>(byte));
  if (byte < 0xC2 || byte > 0xF4)
    return void(out.append(replacement));
  tail_[0] = static_cast<char>(byte);
  count_ = 1;
  expected_ = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
  low_ = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80;
  high_ = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF;
}

} // namespace sluice
