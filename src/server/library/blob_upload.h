// The body of POST /api/blobs/DIGEST, on its way into the store.
#pragma once

#include <optional>
#include <string>

#include "server/http/message.h"
#include "store/blob_writer.h"

namespace galen::server {

class BlobUpload : public BodySink {
 public:
  // announced: Content-Length; -1: not said.
  BlobUpload(ModelStore store, std::string digest, int64_t announced, int64_t max_bytes)
      : store_(std::move(store)),
        digest_(std::move(digest)),
        announced_(announced),
        max_bytes_(max_bytes) {}

  int64_t max_bytes() const override { return max_bytes_; }
  // InvalidArgument: the path names no digest. ResourceExhausted: the disk is full.
  Status Write(std::string_view bytes) override;
  // When all has come. DataLoss: it is not what the digest says.
  Status Finish();

 private:
  Status Begin();

  const ModelStore store_;
  const std::string digest_;
  const int64_t announced_, max_bytes_;
  std::optional<BlobWriter> writer_;
};

// The hexadecimal digits of "sha256:HEX" or "sha256-HEX". InvalidArgument.
Result<std::string> ParseBlobDigest(std::string_view text);

}  // namespace galen::server
