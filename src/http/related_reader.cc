#include "http/related_reader.h"

#include <algorithm>
#include <utility>

#include "http/header_value.h"
#include "http/part_headers.h"

namespace galen {
namespace {

// The line's end before a part's headers, and the empty line behind them.
constexpr size_t kHeadEnds = 6;

Status NotRelated(const std::string& what) { return DataLoss("the answer " + what); }

}  // namespace

Result<RelatedReader> RelatedReader::Create(std::string_view content_type, std::string_view type,
                                            RelatedEvents events, const FormLimits& limits) {
  HeaderValue value;
  if (!HeaderValue::Parse(content_type, &value) || value.word() != "multipart/related")
    return NotRelated("is no multipart/related");
  const std::string* root = value.Find("type");
  if (root == nullptr || Lowered(*root) != type)
    return NotRelated("is not of the type " + std::string(type));
  const std::string* boundary = value.Find("boundary");
  if (boundary == nullptr || !IsMultipartBoundary(*boundary))
    return NotRelated("has no boundary of 1 to 70 characters");
  return RelatedReader("\r\n--" + *boundary, type, std::move(events), limits);
}

Status RelatedReader::Write(std::string_view bytes) {
  buffer_.append(bytes);
  while (true) {
    ASSIGN_OR_RETURN(const bool more, Step());
    if (!more) break;
  }
  buffer_.erase(0, at_);
  at_ = 0;
  return OkStatus();
}

Status RelatedReader::Finish() {
  if (state_ == State::kEnd) return OkStatus();
  return NotRelated("is cut off within its parts");
}

Result<bool> RelatedReader::Step() {
  switch (state_) {
    case State::kStart:
      return Start();
    case State::kBoundary:
      return Boundary();
    case State::kHeaders:
      return Headers();
    case State::kBody:
      return Body();
    case State::kEnd:
      break;
  }
  if (!std::string_view("\r\n").starts_with(rest()))
    return NotRelated("goes on behind the end of its parts");
  return false;
}

// The first boundary stands at the beginning, or behind one empty line.
Result<bool> RelatedReader::Start() {
  const std::string_view opening = std::string_view(delimiter_).substr(2);
  const std::string_view have = rest();
  for (const std::string_view wanted : {std::string_view(delimiter_), opening}) {
    if (have.starts_with(wanted)) {
      at_ += wanted.size();
      state_ = State::kBoundary;
      return true;
    }
    if (wanted.starts_with(have)) return false;
  }
  return NotRelated("does not begin with its boundary");
}

Result<bool> RelatedReader::Boundary() {
  if (rest().size() < 2) return false;
  if (rest().starts_with("--")) {
    at_ += 2;
    state_ = State::kEnd;
    return true;
  }
  if (!rest().starts_with("\r\n")) return NotRelated("has a boundary without an end");
  if (parts_ >= limits_.parts) {
    return ResourceExhausted("the answer has more than the " + std::to_string(limits_.parts) +
                             " parts allowed");
  }
  ++parts_;
  state_ = State::kHeaders;
  return true;
}

// The line's end of the boundary still stands before the headers, so that there may be none.
Result<bool> RelatedReader::Headers() {
  const std::string_view have = rest().substr(0, limits_.header_bytes + kHeadEnds);
  const size_t end = have.find("\r\n\r\n");
  if (end == have.npos) {
    if (have.size() >= limits_.header_bytes + kHeadEnds) {
      return ResourceExhausted("a part of the answer has more than " +
                               std::to_string(limits_.header_bytes) + " bytes of headers");
    }
    return false;
  }
  FormPart part;
  if (end >= 2) {
    const Status read = ReadPartHeaders(parts_ - 1, have.substr(2, end - 2), &part);
    if (!read.ok()) return DataLoss(read.message());
  }
  HeaderValue own;
  const bool said = !part.content_type.empty();  // else the body's own header holds
  if (said && (!HeaderValue::Parse(part.content_type, &own) || own.word() != type_)) {
    return NotRelated("has a part of another type than " + type_);
  }
  RETURN_IF_ERROR(events_.begin());
  at_ += end + 2;
  skip_ = 2;
  state_ = State::kBody;
  return true;
}

// A part without bytes ends with the line's end that is skipped.
Result<bool> RelatedReader::Body() {
  const std::string_view have = rest();
  const size_t found = have.find(delimiter_);
  // Without the delimiter: all but what may be its beginning.
  const size_t known =
      found != have.npos ? found : have.size() - std::min(have.size(), delimiter_.size() - 1);
  if (known > skip_) RETURN_IF_ERROR(events_.data(have.substr(skip_, known - skip_)));
  if (found == have.npos) {
    if (known > skip_) {
      at_ += known;
      skip_ = 0;
    }
    return false;
  }
  at_ += found + delimiter_.size();
  skip_ = 0;
  state_ = State::kBoundary;
  RETURN_IF_ERROR(events_.end());
  return true;
}

}  // namespace galen
