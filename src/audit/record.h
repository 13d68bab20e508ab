// One line of an audit log:
//   {"seq":N,"time":"...","prev":"HEX", fields..., "hash":"HEX"}
// `hash` is the SHA-256 of the line's bytes in front of `,"hash"`, `prev` that of the line before
// (64 zeros for the first), so that no line can be changed or left out without all that follow.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace galen {

// Longer lines are no records.
inline constexpr size_t kMaxAuditLine = size_t{1} << 20;

// Where a chain stands: the number and hash of its last record.
struct AuditHead {
  int64_t seq = 0;
  std::string hash = std::string(64, '0');
};

// The next line of the chain, with its line break; *head moves on. fields: an object without
// "seq", "time", "prev" and "hash".
std::string SealAuditRecord(const Json& fields, AuditHead* head);

// A line without its line break. DataLoss says what is wrong: no record, a wrong hash, or, unless
// head is null, another number or predecessor than follows from it; it then moves on.
Result<Json> ReadAuditRecord(std::string_view line, AuditHead* head);

}  // namespace galen
