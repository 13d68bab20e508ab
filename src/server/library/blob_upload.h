// The body of POST /api/blobs/DIGEST, on its way into the store.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "server/http/message.h"
#include "store/blob_writer.h"

namespace galen::server {

class BlobUpload : public BodySink {
 public:
  // For the audit log. on_begin: before anything is written; its error refuses the upload. on_end:
  // whether the blob is there, once for each on_begin that was good.
  struct Record {
    std::function<Status(const std::string& blob)> on_begin;
    std::function<void(const std::string& blob, bool done)> on_end;
  };
  // announced: Content-Length; -1: not said.
  BlobUpload(ModelStore store, std::string digest, int64_t announced, int64_t max_bytes,
             Record record)
      : store_(std::move(store)),
        digest_(std::move(digest)),
        announced_(announced),
        max_bytes_(max_bytes),
        record_(std::move(record)) {}
  ~BlobUpload() override { End(false); }

  int64_t max_bytes() const override { return max_bytes_; }
  // InvalidArgument: the path names no digest. ResourceExhausted: the disk is full.
  Status Write(std::string_view bytes) override;
  // When all has come. DataLoss: it is not what the digest says.
  Status Finish();

 private:
  Status Begin();
  void End(bool done);

  const ModelStore store_;
  const std::string digest_;
  const int64_t announced_, max_bytes_;
  const Record record_;
  std::string recorded_;  // the name under which a record says that it has begun; empty: none
  std::optional<BlobWriter> writer_;
};

// The hexadecimal digits of "sha256:HEX" or "sha256-HEX". InvalidArgument.
Result<std::string> ParseBlobDigest(std::string_view text);

}  // namespace galen::server
