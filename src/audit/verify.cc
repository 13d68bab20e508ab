#include "audit/verify.h"

#include <charconv>
#include <deque>
#include <fstream>

namespace galen {
namespace {

std::string TextField(const Json& record, const char* key) {
  const auto it = record.find(key);
  return it != record.end() && it->is_string() ? it->get<std::string>() : "";
}

int64_t NumberField(const Json& record, const char* key) {
  const auto it = record.find(key);
  return it != record.end() && it->is_number_integer() ? it->get<int64_t>() : 0;
}

Result<std::ifstream> OpenLog(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return NotFound("cannot open the audit log " + path);
  return file;
}

// The next line up to its break; false at the end of the file. whole: it had a break. A line that
// is too long is cut.
bool NextLine(std::istream& in, std::string* line, bool* whole) {
  line->clear();
  std::streambuf& buffer = *in.rdbuf();
  for (int c = buffer.sbumpc(); c != std::streambuf::traits_type::eof(); c = buffer.sbumpc()) {
    if (c == '\n') {
      *whole = true;
      return true;
    }
    if (line->size() <= kMaxAuditLine) *line += static_cast<char>(c);
  }
  *whole = false;
  return !line->empty();
}

}  // namespace

Result<AuditReport> VerifyAuditLog(const std::string& path,
                                   const std::optional<AuditHead>& expected) {
  ASSIGN_OR_RETURN(std::ifstream file, OpenLog(path));
  AuditReport report;
  report.holds_expected = !expected || expected->seq == 0;
  std::string line;
  bool whole = false;
  for (int64_t number = 1; NextLine(file, &line, &whole); ++number) {
    if (!whole) {
      report.torn_bytes = static_cast<int64_t>(line.size());
      break;
    }
    const Result<Json> record = ReadAuditRecord(line, &report.head);
    if (!record.ok()) {
      report.fault = "line " + std::to_string(number) + " " + record.status().message();
      break;
    }
    report.last_time = TextField(*record, "time");
    if (number == 1) report.first_time = report.last_time;
    const std::string event = TextField(*record, "event");
    if (event == "opened" && NumberField(*record, "torn_bytes") > 0) ++report.repairs;
    if (event == "lost") report.lost += NumberField(*record, "records");
    if (expected && expected->seq == report.head.seq)
      report.holds_expected = expected->hash == report.head.hash;
  }
  return report;
}

Result<std::vector<std::string>> TailAuditLog(const std::string& path, int64_t count) {
  ASSIGN_OR_RETURN(std::ifstream file, OpenLog(path));
  std::deque<std::string> last;
  std::string line;
  bool whole = false;
  while (NextLine(file, &line, &whole) && whole) {
    last.push_back(line);
    if (static_cast<int64_t>(last.size()) > count) last.pop_front();
  }
  return std::vector<std::string>(last.begin(), last.end());
}

Result<AuditHead> ParseAuditHead(const std::string& text) {
  AuditHead head;
  const size_t colon = text.find(':');
  const char* end = text.data() + std::min(colon, text.size());
  const auto [stop, error] = std::from_chars(text.data(), end, head.seq);
  if (colon == text.npos || error != std::errc() || stop != end || head.seq < 1 ||
      text.size() - colon - 1 != 64) {
    return InvalidArgument("'" + text + "' is no place in a log; it is SEQ:HASH, as verify prints");
  }
  head.hash = text.substr(colon + 1);
  return head;
}

}  // namespace galen
