// One blob from the network into the store: resumed where it stopped, in this process or an earlier
// one, checked against its digest, and given its name only when it is whole.
#pragma once

#include <functional>
#include <string>

#include "http/http_client.h"
#include "store/store.h"

namespace galen {

struct BlobSource {
  std::string what;  // for people: the file's name
  HttpGet get;       // where from
  int64_t size = 0;
  // What it must have: either of the two.
  std::string sha256;
  std::string git_sha1;
};

struct TransferEvents {
  // Bytes that are there now, of this blob. Called often.
  std::function<void(int64_t done)> progress;
  std::function<void(const std::string& text)> note;  // waits and second tries, for people
};

// Returns the blob's SHA-256. A blob that is there already is not fetched. Errors:
//   DataLoss           the server's length or digest is another (tried twice from the beginning)
//   ResourceExhausted  the disk is, or would be, full; what has arrived stays
//   NotFound, Io       what the server answers, as ExplainAnswer says
//   Cancelled
// explain: makes a Status of an answer that is no success.
Result<std::string> FetchBlob(const ModelStore& store, HttpClient* http, const BlobSource& source,
                              const std::function<Status(const HttpResponse&)>& explain,
                              const TransferEvents& events);

// Bytes that the disk must still have room for: none of a blob that is there, else those that its
// partial file neither has nor has reserved.
int64_t RoomFor(const ModelStore& store, const BlobSource& source);

// ResourceExhausted if the disk of the store has no room for `bytes`.
Status CheckRoom(const ModelStore& store, int64_t bytes);

}  // namespace galen
