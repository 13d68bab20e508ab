#include "http/part_headers.h"

#include <algorithm>
#include <set>

#include "http/header_value.h"
#include "http/percent.h"

namespace galen {
namespace {

// UTF-8''percent%20encoded (RFC 8187), as some libraries send names beyond ASCII.
bool DecodeExtended(std::string_view text, std::string* value) {
  constexpr std::string_view kCharset = "utf-8'";
  if (Lowered(text.substr(0, kCharset.size())) != kCharset) return false;
  const size_t quote = text.find('\'', kCharset.size());
  if (quote == text.npos) return false;
  return PercentDecode(text.substr(quote + 1), value);
}

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

Status ReadDisposition(size_t number, std::string_view text, FormPart* part) {
  HeaderValue value;
  if (!HeaderValue::Parse(text, &value) || value.word() != "form-data")
    return WrongPart(number, "has a Content-Disposition that is no form-data");
  const std::string* name = value.Find("name");
  if (name == nullptr || name->empty()) return WrongPart(number, "has no name");
  part->name = *name;
  const std::string* filename = value.Find("filename");
  const std::string* extended = value.Find("filename*");
  part->is_file = filename != nullptr || extended != nullptr;
  if (filename != nullptr) part->filename = *filename;
  if (extended != nullptr) {
    part->filename.clear();
    if (!DecodeExtended(*extended, &part->filename))
      return WrongPart(number, "has a filename* that is no UTF-8''NAME");
  }
  return OkStatus();
}

}  // namespace

Status WrongPart(size_t part, const std::string& what) {
  return InvalidArgument("part " + std::to_string(part + 1) + " of the body " + what);
}

Status ReadPartHeaders(size_t number, std::string_view headers, FormPart* part) {
  std::set<std::string> seen;
  while (!headers.empty()) {
    const size_t end = headers.find("\r\n");
    const std::string_view line = headers.substr(0, end);
    headers.remove_prefix(std::min(end == headers.npos ? end : end + 2, headers.size()));
    const size_t colon = line.find(':');
    if (colon == line.npos || !IsHeaderToken(line.substr(0, colon)) || HasControl(line))
      return WrongPart(number, "has a header that is none");
    const std::string name = Lowered(line.substr(0, colon));
    const std::string_view value = Trimmed(line.substr(colon + 1));
    if (!seen.insert(name).second) return WrongPart(number, "has a header more than once");
    if (name == "content-disposition") {
      RETURN_IF_ERROR(ReadDisposition(number, value, part));
    } else if (name == "content-type") {
      part->content_type = value;
    } else if (name == "content-transfer-encoding") {
      const std::string encoding = Lowered(value);
      if (encoding != "binary" && encoding != "8bit" && encoding != "7bit")
        return WrongPart(number, "has a transfer encoding other than binary");
    }
  }
  return OkStatus();
}

}  // namespace galen
