#include "server/library/blob_upload.h"

#include <utility>

#include "store/transfer.h"

namespace galen::server {

Result<std::string> ParseBlobDigest(std::string_view text) {
  constexpr std::string_view kAlgorithm = "sha256";
  const bool named = text.starts_with(kAlgorithm) && text.size() > kAlgorithm.size() &&
                     (text[kAlgorithm.size()] == ':' || text[kAlgorithm.size()] == '-');
  if (named) text.remove_prefix(kAlgorithm.size() + 1);
  if (named && IsHex(text, 64)) return std::string(text);
  return InvalidArgument("a blob is named sha256: and 64 lower-case hexadecimal digits");
}

Status BlobUpload::Begin() {
  if (writer_) return OkStatus();
  ASSIGN_OR_RETURN(const std::string digest, ParseBlobDigest(digest_));
  if (recorded_.empty()) {
    const std::string name = "sha256:" + digest;
    RETURN_IF_ERROR(record_.on_begin(name));
    recorded_ = name;
  }
  RETURN_IF_ERROR(store_.Prepare());
  RETURN_IF_ERROR(CheckRoom(store_, std::max<int64_t>(announced_, 0)));
  ASSIGN_OR_RETURN(BlobWriter writer, BlobWriter::Create(store_));
  writer_.emplace(std::move(writer));
  return OkStatus();
}

Status BlobUpload::Write(std::string_view bytes) {
  RETURN_IF_ERROR(Begin());
  return writer_->Add({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

Status BlobUpload::Finish() {
  ASSIGN_OR_RETURN(const std::string expected, ParseBlobDigest(digest_));
  RETURN_IF_ERROR(Begin());
  const Status status = writer_->Finish(expected).status();
  writer_.reset();  // with what it has not named
  End(status.ok());
  return status;
}

void BlobUpload::End(bool done) {
  if (!recorded_.empty()) record_.on_end(std::exchange(recorded_, ""), done);
}

}  // namespace galen::server
