// Digests of files as they are read or written: SHA-256, and the SHA-1 by which git names a blob.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

struct evp_md_ctx_st;

namespace galen {

class Digest {
 public:
  static Digest Sha256();
  // git hash-object: SHA-1 over "blob SIZE\0" and the content.
  static Digest GitBlob(int64_t size);
  void Add(std::span<const uint8_t> bytes);
  // Lower-case hexadecimal; nothing may be added afterwards.
  std::string Hex();

 private:
  using Context = std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)>;
  explicit Digest(Context context) : context_(std::move(context)) {}
  Context context_;
};

// Called with the number of bytes of each piece; false: stop (Cancelled).
using OnBytes = std::function<bool(int64_t)>;

// SHA-256 of a whole file. NotFound, Io, Cancelled.
Result<std::string> Sha256OfFile(const std::string& path, const OnBytes& on_bytes = {});

// Adds the bytes [0, size) of an open file to each of the digests.
Status AddFileBytes(int fd, int64_t size, const std::string& path,
                    std::initializer_list<Digest*> digests, const OnBytes& on_bytes = {});

bool IsHex(std::string_view text, size_t digits);

}  // namespace galen
