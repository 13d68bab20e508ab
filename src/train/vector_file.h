// A file of vectors that a frozen part of a model made of its inputs, so that neither that part nor
// the vectors take memory in the training. It is filled input by input and survives kills.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/siphash.h"
#include "base/status.h"
#include "train/read_lines.h"

namespace galen {

// A digest of everything that the vectors depend on.
class VectorKey {
 public:
  void Add(std::span<const uint8_t> bytes);
  void Add(std::string_view text);
  void Add(uint64_t number);
  // Path, size and time of change. Io: it cannot be read.
  Status AddFile(const std::string& path);
  const Digest128& key() const { return key_; }

 private:
  Digest128 key_;
};

// Rows of `cols` floats.
class VectorFile {
 public:
  VectorFile() = default;
  ~VectorFile();
  VectorFile(VectorFile&& other) noexcept;
  VectorFile& operator=(VectorFile&& other) noexcept;

  // Opens `path`; what another run with the same key has put there counts, anything else goes.
  static Result<VectorFile> Open(const std::string& path, const Digest128& key, int64_t cols);

  // Inputs whose rows are there, from the first on.
  int64_t done() const { return done_; }
  // Calls pass(first) until `total` inputs are done; it writes the rows of as many as it likes from
  // `first` on and returns their number. What is done is on the disk every few seconds. Cancelled:
  // progress returned false.
  Status Fill(int64_t total, const ReadProgress& progress,
              const std::function<Result<int64_t>(int64_t first)>& pass);
  Status Write(int64_t first_row, int64_t rows, const void* floats);
  // Any thread.
  Status Read(int64_t first_row, int64_t rows, float* floats) const;

  int64_t cols() const { return cols_; }
  // Of a file of so many rows.
  int64_t BytesOf(int64_t rows) const;

 private:
  Status Commit(int64_t done);

  int fd_ = -1;
  std::string path_;
  Digest128 key_;
  int64_t cols_ = 0, done_ = 0;
};

}  // namespace galen
