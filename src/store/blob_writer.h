// A new blob, written piece by piece under a name of its own until its digest is known.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "store/digest.h"
#include "store/store.h"

namespace galen {

class BlobWriter {
 public:
  // Locked like a partial file of a pull, so that `galen rm --unused` leaves it alone. The store is
  // prepared. Io, ResourceExhausted, Cancelled.
  static Result<BlobWriter> Create(const ModelStore& store, const Cancel& cancelled = {});
  BlobWriter(BlobWriter&& other) noexcept;
  BlobWriter& operator=(BlobWriter&&) = delete;
  // Removes what was not finished.
  ~BlobWriter();

  Status Add(std::span<const uint8_t> bytes);
  int64_t size() const { return size_; }
  // The blob's SHA-256, once it is on the disk under it. DataLoss: another digest was expected.
  Result<std::string> Finish(const std::string& expected = "");

 private:
  BlobWriter(const ModelStore& store, std::string path, Fd file)
      : store_(store), path_(std::move(path)), file_(std::move(file)), digest_(Digest::Sha256()) {}

  ModelStore store_;
  std::string path_;  // empty: finished, or moved from
  Fd file_;
  Digest digest_;
  int64_t size_ = 0;
};

// Of a text that goes into the store. Digest and size of its blob.
Result<StoredFile> WriteBlob(const ModelStore& store, std::string_view text);
// Copies a file into the store, unless its content is there already. on_bytes: of each piece.
Result<StoredFile> CopyToBlob(const ModelStore& store, const std::string& path,
                              const OnBytes& on_bytes, const Cancel& cancelled);

}  // namespace galen
