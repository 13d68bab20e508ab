// multipart/related (RFC 2387) as it comes: for bodies that no memory should hold whole. As strict
// as ParseRelated.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/multipart.h"

namespace galen {

// What becomes of the parts; an error of one of them ends the reading and is passed on.
struct RelatedEvents {
  std::function<Status()> begin;
  std::function<Status(std::string_view)> data;  // any number of times, in order
  std::function<Status()> end;
};

class RelatedReader {
 public:
  // type: of the parts ("application/dicom"). DataLoss: the Content-Type is another, or has no
  // boundary.
  static Result<RelatedReader> Create(std::string_view content_type, std::string_view type,
                                      RelatedEvents events, const FormLimits& limits);

  // DataLoss: what is no such body; ResourceExhausted: a limit. Nothing may follow an error.
  Status Write(std::string_view bytes);
  // The body is over. DataLoss: it ended early.
  Status Finish();

  size_t parts() const { return parts_; }  // begun so far

 private:
  enum class State { kStart, kBoundary, kHeaders, kBody, kEnd };
  RelatedReader(std::string delimiter, std::string_view type, RelatedEvents events,
                const FormLimits& limits)
      : delimiter_(std::move(delimiter)),
        type_(type),
        events_(std::move(events)),
        limits_(limits) {}
  // One step: false where more bytes are needed.
  Result<bool> Step();
  Result<bool> Start();
  Result<bool> Boundary();
  Result<bool> Headers();
  Result<bool> Body();
  std::string_view rest() const { return std::string_view(buffer_).substr(at_); }

  std::string delimiter_;  // "\r\n--BOUNDARY"
  std::string type_;
  RelatedEvents events_;
  FormLimits limits_;
  State state_ = State::kStart;
  std::string buffer_;
  size_t at_ = 0;    // of what has not been read
  size_t skip_ = 0;  // bytes of the line's end before a part's body
  size_t parts_ = 0;
};

}  // namespace galen
