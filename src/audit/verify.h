// Reading an audit log: is its chain whole, and what do its last records say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/record.h"

namespace galen {

struct AuditReport {
  AuditHead head;  // of the last record that is whole and in its place
  std::string first_time, last_time;
  int64_t torn_bytes = 0;      // behind the last line break: what a crash left, or is being written
  int64_t repairs = 0;         // "opened" records that cut such a line off
  int64_t lost = 0;            // records that a full disk swallowed, by "lost" records
  std::string fault;           // empty: the chain is whole; else the line and what is wrong with it
  bool holds_expected = true;  // `expected` is among the records
};

// expected: a record noted elsewhere earlier. A chain alone does not show that its end was cut off,
// or that all of it was written anew. Errors: as of opening the file.
Result<AuditReport> VerifyAuditLog(const std::string& path,
                                   const std::optional<AuditHead>& expected = {});

// The last `count` lines, as they are.
Result<std::vector<std::string>> TailAuditLog(const std::string& path, int64_t count);

// "SEQ:HASH".
Result<AuditHead> ParseAuditHead(const std::string& text);

}  // namespace galen
