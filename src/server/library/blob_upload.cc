#include "server/library/blob_upload.h"

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
  RETURN_IF_ERROR(ParseBlobDigest(digest_).status());
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
  return status;
}

}  // namespace galen::server
