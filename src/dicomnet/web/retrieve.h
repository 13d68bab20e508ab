// WADO-RS (PS3.18 10.4): a study or a series of a server, into an inbox.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dicomnet/inbox.h"
#include "dicomnet/web/place.h"
#include "dicomnet/web/web_client.h"

namespace galen::dicomnet {

struct RetrieveLimits {
  int64_t max_bytes = int64_t{16} << 30;  // of all answers together
  int64_t max_instances = 100'000;
};

struct RetrievedStudy {
  int64_t listed = 0;                // instances that the server says it has
  int64_t fetched = 0;               // that came; others were in the inbox
  int64_t left_out = 0;              // in transfer syntaxes that galen does not read
  int64_t bytes = 0;                 // of instances that came
  std::vector<std::string> digests;  // SHA-256 of what came
  // After success: what the inbox has of the study, held since it was first there; none where all
  // was left out.
  std::optional<Study> study;
  bool inbox_failed = false;  // the error is the inbox's, not the server's
};

// Asks which instances there are, and fetches those that the inbox has not: all together, and,
// where that is cut off or some are there already, one by one, with further tries. What came stays
// in the inbox whatever happens later, so that asking again goes on. After success each instance
// listed is in the inbox or was left out by its name. DataLoss: what came is no
// DICOM, was not asked for, comes twice, or does not come although it is listed; NotFound;
// ResourceExhausted; Cancelled; others of WebClient.
// progress (done, listed) may be empty. *done says what came, after an error, too.
Status RetrieveStudy(WebClient* client, const WebPlace& place, Inbox* inbox,
                     const RetrieveLimits& limits,
                     const std::function<void(int64_t, int64_t)>& progress, RetrievedStudy* done);

}  // namespace galen::dicomnet
