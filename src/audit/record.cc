#include "audit/record.h"

#include "base/rfc3339.h"
#include "base/sha256.h"

namespace galen {
namespace {

constexpr std::string_view kHash = ",\"hash\":\"";
constexpr size_t kTailBytes = kHash.size() + 64 + 2;  // with the quote and the brace

std::string HashOf(std::string_view text) {
  return Sha256Hex({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

}  // namespace

std::string SealAuditRecord(const Json& fields, AuditHead* head) {
  ++head->seq;
  std::string line = "{\"seq\":" + std::to_string(head->seq) + ",\"time\":\"" + Rfc3339Now() +
                     "\",\"prev\":\"" + head->hash + "\"";
  const std::string more = fields.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (!fields.empty()) line.append(",").append(more, 1, more.size() - 2);
  head->hash = HashOf(line);
  return line + std::string(kHash) + head->hash + "\"}\n";
}

Result<Json> ReadAuditRecord(std::string_view line, AuditHead* head) {
  if (line.size() > kMaxAuditLine || line.size() < kTailBytes || !line.ends_with("\"}") ||
      line.substr(line.size() - kTailBytes, kHash.size()) != kHash) {
    return DataLoss("is no record");
  }
  const std::string hash(line.substr(line.size() - 66, 64));
  if (HashOf(line.substr(0, line.size() - kTailBytes)) != hash)
    return DataLoss("was changed: its hash does not fit its text");
  const Result<Json> json = ParseJson(line, 16);
  if (!json.ok() || !json->is_object() || !json->contains("seq") ||
      !(*json)["seq"].is_number_integer() || !json->contains("prev") ||
      !(*json)["prev"].is_string()) {
    return DataLoss("is no record");
  }
  const int64_t seq = (*json)["seq"].get<int64_t>();
  if (head != nullptr) {
    if (seq != head->seq + 1) {
      return DataLoss("has number " + std::to_string(seq) + " where " +
                      std::to_string(head->seq + 1) + " follows");
    }
    if ((*json)["prev"] != head->hash) return DataLoss("does not follow the record before it");
    *head = {seq, hash};
  }
  return *json;
}

}  // namespace galen
