// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/model_error.hpp"

namespace sluice {

namespace {

std::string one_line(fault_site site, std::string_view rule,
                     std::string_view remedy) {
  std::string text = printable(site.file, 400); // a path's end matters
  if (!site.subject.empty())
    text.append(": ").append(printable(site.subject, 120));
  text.append(": ").append(rule);
  if (!remedy.empty())
    text.append("; ").append(remedy);
  return text;
}

} // namespace

std::string_view name(model_fault fault) {
  switch (fault) {
  case model_fault::io:
    return "io";
  case model_fault::not_a_model:
    return "not_a_model";
  case model_fault::truncated:
    return "truncated";
  case model_fault::limit:
    return "limit";
  case model_fault::overflow:
    return "overflow";
  case model_fault::malformed:
    return "malformed";
  case model_fault::duplicate:
    return "duplicate";
  case model_fault::missing:
    return "missing";
  case model_fault::wrong_type:
    return "wrong_type";
  case model_fault::bad_shape:
    return "bad_shape";
  case model_fault::bad_layout:
    return "bad_layout";
  case model_fault::unsupported:
    return "unsupported";
  case model_fault::out_of_memory:
    return "out_of_memory";
  }
  return "unknown";
}

std::string printable(std::string_view text, std::size_t longest) {
  std::string out;
  for (char c : text.substr(0, longest))
    out.push_back(c >= 0x20 && c < 0x7f ? c : '?');
  if (text.size() > longest)
    out.append("...");
  return out;
}

model_error::model_error(model_fault code, fault_site site,
                         std::string_view rule, std::string_view remedy)
    : std::runtime_error(one_line(site, rule, remedy)), code_(code),
      file_(site.file), subject_(site.subject) {}

} // namespace sluice
