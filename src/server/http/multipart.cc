#include "server/http/multipart.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "server/http/percent.h"

namespace galen::server {
namespace {

constexpr size_t kMostBoundary = 70;  // RFC 2046, 5.1.1

char Lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

std::string Lowered(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), Lower);
  return lower;
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool IsAlnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

// RFC 9110, 5.6.2.
bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsAlnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool IsBoundary(std::string_view text) {
  return !text.empty() && text.size() <= kMostBoundary && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return IsAlnum(c) || std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
         });
}

// UTF-8''percent%20encoded (RFC 8187), as some libraries send names beyond ASCII.
bool DecodeExtended(std::string_view text, std::string* value) {
  constexpr std::string_view kCharset = "utf-8'";
  if (Lowered(text.substr(0, kCharset.size())) != kCharset) return false;
  const size_t quote = text.find('\'', kCharset.size());
  if (quote == text.npos) return false;
  return PercentDecode(text.substr(quote + 1), value);
}

// "form-data; name=\"file\"; filename=\"a b.pdf\"": the first word, and the parameters.
class HeaderValue {
 public:
  static bool Parse(std::string_view text, HeaderValue* value) {
    const size_t end = text.find(';');
    value->word_ = Lowered(Trimmed(text.substr(0, end)));
    text.remove_prefix(std::min(end, text.size()));
    while (!(text = Trimmed(text)).empty()) {
      if (text.front() != ';') return false;
      text = Trimmed(text.substr(1));
      if (text.empty()) return true;  // a last semicolon
      const size_t equals = text.find('=');
      if (equals == text.npos) return false;
      const std::string name = Lowered(text.substr(0, equals));
      text.remove_prefix(equals + 1);
      std::string parameter;
      if (!IsToken(name) || !TakeParameter(&text, &parameter)) return false;
      if (value->Find(name) != nullptr) return false;
      value->parameters_.emplace_back(name, std::move(parameter));
    }
    return true;
  }

  const std::string& word() const { return word_; }
  const std::string* Find(std::string_view name) const {
    for (const auto& [key, value] : parameters_) {
      if (key == name) return &value;
    }
    return nullptr;
  }

 private:
  static bool TakeParameter(std::string_view* text, std::string* value) {
    if (!text->starts_with('"')) {
      const std::string_view token = Trimmed(text->substr(0, text->find(';')));
      if (token.empty() || token.find_first_of(" \t\"") != token.npos) return false;
      *value = token;
      text->remove_prefix(token.size());
      return true;
    }
    for (size_t i = 1; i < text->size(); ++i) {
      const char c = (*text)[i];
      if (c == '"') {
        text->remove_prefix(i + 1);
        return true;
      }
      // Only these two are escaped: browsers send a backslash of a name as it is.
      if (c == '\\' && i + 1 < text->size() && ((*text)[i + 1] == '"' || (*text)[i + 1] == '\\')) {
        *value += (*text)[++i];
      } else {
        *value += c;
      }
    }
    return false;
  }

  std::string word_;
  std::vector<std::pair<std::string, std::string>> parameters_;
};

Status Wrong(size_t part, const std::string& what) {
  return InvalidArgument("part " + std::to_string(part + 1) + " of the body " + what);
}

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

Status ReadDisposition(size_t number, std::string_view text, FormPart* part) {
  HeaderValue value;
  if (!HeaderValue::Parse(text, &value) || value.word() != "form-data")
    return Wrong(number, "has a Content-Disposition that is no form-data");
  const std::string* name = value.Find("name");
  if (name == nullptr || name->empty()) return Wrong(number, "has no name");
  part->name = *name;
  const std::string* filename = value.Find("filename");
  const std::string* extended = value.Find("filename*");
  part->is_file = filename != nullptr || extended != nullptr;
  if (filename != nullptr) part->filename = *filename;
  if (extended != nullptr) {
    part->filename.clear();
    if (!DecodeExtended(*extended, &part->filename))
      return Wrong(number, "has a filename* that is no UTF-8''NAME");
  }
  return OkStatus();
}

Status ReadHeaders(size_t number, std::string_view headers, FormPart* part) {
  std::set<std::string> seen;
  while (!headers.empty()) {
    const size_t end = headers.find("\r\n");
    const std::string_view line = headers.substr(0, end);
    headers.remove_prefix(std::min(end == headers.npos ? end : end + 2, headers.size()));
    const size_t colon = line.find(':');
    if (colon == line.npos || !IsToken(line.substr(0, colon)) || HasControl(line))
      return Wrong(number, "has a header that is none");
    const std::string name = Lowered(line.substr(0, colon));
    const std::string_view value = Trimmed(line.substr(colon + 1));
    if (!seen.insert(name).second) return Wrong(number, "has a header more than once");
    if (name == "content-disposition") {
      RETURN_IF_ERROR(ReadDisposition(number, value, part));
    } else if (name == "content-type") {
      part->content_type = value;
    } else if (name == "content-transfer-encoding") {
      const std::string encoding = Lowered(value);
      if (encoding != "binary" && encoding != "8bit" && encoding != "7bit")
        return Wrong(number, "has a transfer encoding other than binary");
    }
  }
  return OkStatus();
}

// The parts between boundaries. Without a disposition a part has no name.
Result<std::vector<FormPart>> ParseParts(const HeaderValue& type, std::string_view body,
                                         const FormLimits& limits) {
  const std::string* boundary = type.Find("boundary");
  if (boundary == nullptr || !IsBoundary(*boundary))
    return InvalidArgument("the Content-Type has no boundary of 1 to 70 characters");
  const std::string delimiter = "\r\n--" + *boundary;
  const std::string_view opening = std::string_view(delimiter).substr(2);
  if (!body.starts_with(opening))
    return InvalidArgument("the body does not begin with its boundary");
  body.remove_prefix(opening.size());
  std::vector<FormPart> parts;
  while (true) {
    if (body.starts_with("--")) {
      body.remove_prefix(2);
      if (!body.empty() && body != "\r\n")
        return InvalidArgument("something stands behind the end of the body's parts");
      return parts;
    }
    if (!body.starts_with("\r\n")) return InvalidArgument("the body has a boundary without an end");
    if (parts.size() >= limits.parts) {
      return ResourceExhausted("the body has more than the " + std::to_string(limits.parts) +
                               " parts allowed");
    }
    body.remove_prefix(2);
    FormPart part;
    // An empty line ends the headers.
    const size_t head = body.substr(0, limits.header_bytes + 4).find("\r\n\r\n");
    if (head == body.npos) {
      return body.size() > limits.header_bytes
                 ? ResourceExhausted("a part of the body has more than " +
                                     std::to_string(limits.header_bytes) + " bytes of headers")
                 : Wrong(parts.size(), "ends within its headers");
    }
    RETURN_IF_ERROR(ReadHeaders(parts.size(), body.substr(0, head), &part));
    body.remove_prefix(head + 2);  // an empty part ends with the line's own end
    const size_t end = body.find(delimiter);
    if (end == body.npos) return Wrong(parts.size(), "has no end: the body is cut off");
    part.body = end < 2 ? std::string_view() : body.substr(2, end - 2);
    body.remove_prefix(end + delimiter.size());
    parts.push_back(std::move(part));
  }
}

}  // namespace

bool IsForm(std::string_view content_type) {
  return Lowered(Trimmed(content_type.substr(0, content_type.find(';')))) == "multipart/form-data";
}

Result<std::vector<FormPart>> ParseForm(std::string_view content_type, std::string_view body,
                                        const FormLimits& limits) {
  HeaderValue type;
  if (!HeaderValue::Parse(content_type, &type) || type.word() != "multipart/form-data")
    return InvalidArgument("the Content-Type is no multipart/form-data");
  ASSIGN_OR_RETURN(std::vector<FormPart> parts, ParseParts(type, body, limits));
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].name.empty()) return Wrong(i, "has no Content-Disposition with a name");
  }
  return parts;
}

Result<std::vector<RelatedPart>> ParseRelated(std::string_view content_type, std::string_view type,
                                              std::string_view body, const FormLimits& limits) {
  HeaderValue value;
  if (!HeaderValue::Parse(content_type, &value) || value.word() != "multipart/related")
    return Unsupported("the Content-Type is no multipart/related");
  const std::string* root = value.Find("type");
  if (root == nullptr || Lowered(*root) != type)
    return Unsupported("the Content-Type has not the parameter type=\"" + std::string(type) + "\"");
  if (body.starts_with("\r\n")) body.remove_prefix(2);
  ASSIGN_OR_RETURN(std::vector<FormPart> parts, ParseParts(value, body, limits));
  std::vector<RelatedPart> related;
  for (size_t i = 0; i < parts.size(); ++i) {
    HeaderValue own;
    if (!HeaderValue::Parse(parts[i].content_type, &own) || own.word() != type)
      return Unsupported("part " + std::to_string(i + 1) + " of the body is no " +
                         std::string(type));
    related.push_back({std::move(parts[i].content_type), parts[i].body});
  }
  return related;
}

}  // namespace galen::server
