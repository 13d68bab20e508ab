// galen audit: is the record of `galen serve --audit` whole, what does it say, and which of its
// digests is that of a file.
#include <iostream>

#include "audit/audit_log.h"
#include "audit/verify.h"
#include "base/files.h"
#include "base/sha256.h"
#include "commands.h"

namespace galen::cli {
namespace {

struct AuditOptions {
  std::string log, head, file;
  int64_t count = 10;
  bool json = false;
};

Status Verify(const AuditOptions& o) {
  std::optional<AuditHead> expected;
  if (!o.head.empty()) {
    ASSIGN_OR_RETURN(expected, ParseAuditHead(o.head));
  }
  ASSIGN_OR_RETURN(const AuditReport report, VerifyAuditLog(o.log, expected));
  const std::string head = std::to_string(report.head.seq) + ":" + report.head.hash;
  if (o.json) {
    Json json = {{"records", report.head.seq},
                 {"head", head},
                 {"first", report.first_time},
                 {"last", report.last_time},
                 {"torn_bytes", report.torn_bytes},
                 {"repairs", report.repairs},
                 {"lost", report.lost},
                 {"whole", report.fault.empty()}};
    if (!report.fault.empty()) json["fault"] = report.fault;
    if (expected) json["holds_head"] = report.holds_expected;
    std::cout << json.dump(2) << "\n";
  } else {
    std::cout << report.head.seq << " records from " << report.first_time << " to "
              << report.last_time << "\nhead " << head << "\n";
    if (report.repairs > 0)
      std::cout << report.repairs << " torn lines were cut off at a start (see \"torn_bytes\")\n";
    if (report.lost > 0) std::cout << report.lost << " records were lost while the disk was full\n";
    if (report.torn_bytes > 0)
      std::cout << report.torn_bytes << " bytes of an unfinished line at the end\n";
  }
  if (!report.fault.empty()) return DataLoss(o.log + ": " + report.fault);
  if (!report.holds_expected)
    return DataLoss(o.log + " does not hold the record of --head: it was cut off or written anew");
  return OkStatus();
}

Status Tail(const AuditOptions& o) {
  ASSIGN_OR_RETURN(const std::vector<std::string> lines, TailAuditLog(o.log, o.count));
  for (const std::string& line : lines) std::cout << line << "\n";
  return OkStatus();
}

Status Digest(const AuditOptions& o) {
  ASSIGN_OR_RETURN(const std::string key, ReadAuditKey(o.log));
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(o.file, size_t{1} << 32));
  const auto span = [](const std::string& s) {
    return std::span(reinterpret_cast<const uint8_t*>(s.data()), s.size());
  };
  std::cout << AuditDigest(span(key), Sha256Hex(span(bytes))) << "\n";
  return OkStatus();
}

}  // namespace

void AddAudit(CLI::App& app, Action* action) {
  auto o = std::make_shared<AuditOptions>();
  CLI::App* verb = app.add_subcommand("audit", "The record that 'galen serve --audit' keeps");
  verb->require_subcommand(1);
  CLI::App* verify = verb->add_subcommand("verify", "Is its chain whole?");
  verify->add_option("log", o->log, "The log")->type_name("FILE")->required();
  verify->add_option("--head", o->head,
                     "SEQ:HASH that an earlier verify printed: it must still be there");
  verify->add_flag("--json", o->json, "The result as JSON");
  verify->callback([o, action] { *action = [o] { return Verify(*o); }; });
  CLI::App* tail = verb->add_subcommand("tail", "Its last records, a line of JSON each");
  tail->add_option("log", o->log, "The log")->type_name("FILE")->required();
  tail->add_option("-n", o->count, "How many")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 30))
      ->capture_default_str();
  tail->callback([o, action] { *action = [o] { return Tail(*o); }; });
  CLI::App* digest = verb->add_subcommand(
      "digest", "The digest by which the log names a file (an image, the body of a request)");
  digest->add_option("log", o->log, "The log; its key must lie beside it")
      ->type_name("FILE")
      ->required();
  digest->add_option("file", o->file, "The file, or - for standard input")
      ->type_name("FILE")
      ->required();
  digest->callback([o, action] { *action = [o] { return Digest(*o); }; });
}

}  // namespace galen::cli
