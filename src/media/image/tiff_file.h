// A TIFF in memory, opened by libtiff, which here neither prints nor exits.
#pragma once

#include <tiffio.h>

#include <cstdint>
#include <string>

#include "base/status.h"
#include "media/image/format_readers.h"

namespace galen {

class TiffFile {
 public:
  // Reads the first directory. max_alloc bounds any single allocation of libtiff.
  TiffFile(Bytes bytes, int64_t max_alloc);
  ~TiffFile();
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;

  bool ok() const { return tiff_ != nullptr; }
  TIFF* get() const { return tiff_; }
  // libtiff's first complaint as an error.
  Status Error() const;

  // The tag, its default, or `absent` where the format has none.
  uint32_t Short(uint32_t tag, uint32_t absent) const;
  uint32_t Long(uint32_t tag, uint32_t absent) const;
  // The integer tag as the file has it: libtiff silently takes a picture whose palette it cannot
  // read for grey.
  uint32_t Stored(uint32_t tag, uint32_t absent) const;

 private:
  static int OnError(TIFF*, void* self, const char* module, const char* format, va_list arguments);
  static tmsize_t Read(thandle_t self, void* out, tmsize_t count);
  static toff_t Seek(thandle_t self, toff_t offset, int whence);

  Bytes bytes_;
  uint64_t at_ = 0;
  TIFF* tiff_ = nullptr;
  char message_[200] = "";
};

}  // namespace galen
