#include "http/multipart.h"

#include <algorithm>
#include <utility>

#include "http/header_value.h"
#include "http/part_headers.h"

namespace galen {
namespace {

// The parts between boundaries. Without a disposition a part has no name.
Result<std::vector<FormPart>> ParseParts(const HeaderValue& type, std::string_view body,
                                         const FormLimits& limits) {
  const std::string* boundary = type.Find("boundary");
  if (boundary == nullptr || !IsMultipartBoundary(*boundary))
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
                 : WrongPart(parts.size(), "ends within its headers");
    }
    RETURN_IF_ERROR(ReadPartHeaders(parts.size(), body.substr(0, head), &part));
    body.remove_prefix(head + 2);  // an empty part ends with the line's own end
    const size_t end = body.find(delimiter);
    if (end == body.npos) return WrongPart(parts.size(), "has no end: the body is cut off");
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
    if (parts[i].name.empty()) return WrongPart(i, "has no Content-Disposition with a name");
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

}  // namespace galen
