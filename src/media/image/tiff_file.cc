#include "media/image/tiff_file.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "media/image/tiff_directory.h"

namespace galen {

TiffFile::TiffFile(Bytes bytes, int64_t max_alloc) : bytes_(bytes) {
  TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
  if (options == nullptr) return;
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, max_alloc);
  TIFFOpenOptionsSetErrorHandlerExtR(options, OnError, this);
  TIFFOpenOptionsSetWarningHandlerExtR(
      options, [](TIFF*, void*, const char*, const char*, va_list) { return 1; }, nullptr);
  // "m": no mapping; "C": huge strips are read in parts, as Pillow asks.
  tiff_ = TIFFClientOpenExt(
      "image", "rmC", this, Read, [](thandle_t, void*, tmsize_t) -> tmsize_t { return 0; }, Seek,
      [](thandle_t) { return 0; },
      [](thandle_t self) -> toff_t { return static_cast<TiffFile*>(self)->bytes_.size(); }, nullptr,
      nullptr, options);
  TIFFOpenOptionsFree(options);
}

TiffFile::~TiffFile() {
  if (tiff_ != nullptr) TIFFClose(tiff_);
}

Status TiffFile::Error() const {
  if (message_[0] == '\0') return DataLoss("truncated or corrupt");
  return DataLoss(std::string("truncated or corrupt: ") + message_);
}

uint32_t TiffFile::Short(uint32_t tag, uint32_t absent) const {
  uint16_t value = 0;
  return TIFFGetFieldDefaulted(tiff_, tag, &value) == 1 ? value : absent;
}

uint32_t TiffFile::Long(uint32_t tag, uint32_t absent) const {
  uint32_t value = 0;
  return TIFFGetFieldDefaulted(tiff_, tag, &value) == 1 ? value : absent;
}

uint32_t TiffFile::Stored(uint32_t tag, uint32_t absent) const {
  const std::string_view text(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
  const TiffForm form = {.big_endian = TIFFIsBigEndian(tiff_) != 0,
                         .big_tiff = text[2] == '+' || text[3] == '+'};
  return FindTiffTag(text, TIFFCurrentDirOffset(tiff_), form, tag).value_or(absent);
}

int TiffFile::OnError(TIFF*, void* self, const char*, const char* format, va_list arguments) {
  auto* file = static_cast<TiffFile*>(self);
  if (file->message_[0] == '\0') {
    std::vsnprintf(file->message_, sizeof(file->message_), format, arguments);
  }
  return 1;  // handled: libtiff's own handler, which prints, is not called
}

tmsize_t TiffFile::Read(thandle_t self, void* out, tmsize_t count) {
  auto* file = static_cast<TiffFile*>(self);
  if (count <= 0 || file->at_ >= file->bytes_.size()) return 0;
  const uint64_t size = std::min<uint64_t>(count, file->bytes_.size() - file->at_);
  std::memcpy(out, file->bytes_.data() + file->at_, size);
  file->at_ += size;
  return static_cast<tmsize_t>(size);
}

toff_t TiffFile::Seek(thandle_t self, toff_t offset, int whence) {
  auto* file = static_cast<TiffFile*>(self);
  const uint64_t base = whence == SEEK_CUR   ? file->at_
                        : whence == SEEK_END ? file->bytes_.size()
                                             : 0;
  file->at_ = base + offset;  // beyond the end: the next read gets nothing
  return file->at_;
}

}  // namespace galen
