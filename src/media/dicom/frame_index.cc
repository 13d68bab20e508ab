#include "media/dicom/frame_index.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "media/dicom/byte_order.h"

namespace galen::dicom {
namespace {

// A JPEG or JPEG-LS stream (SOI and another marker) or a JPEG 2000 code stream (SOC, SIZ).
bool StartsStream(std::span<const uint8_t> bytes) {
  if (bytes.size() < 4 || bytes[0] != 0xFF) return false;
  return (bytes[1] == 0xD8 && bytes[2] == 0xFF) ||
         (bytes[1] == 0x4F && bytes[2] == 0xFF && bytes[3] == 0x51);
}

}  // namespace

Result<FrameIndex> FrameIndex::Build(std::span<const uint8_t> pixels, int64_t frames,
                                     std::span<const uint64_t> extended_offsets,
                                     DicomWarnings* warnings) {
  FrameIndex index;
  index.pixels_ = pixels;
  std::vector<uint64_t> offsets;
  size_t at = 0;
  for (bool table = true; pixels.size() - at >= 8; table = false) {
    const Tag tag = static_cast<Tag>(Load<uint16_t>(pixels.data() + at)) << 16 |
                    Load<uint16_t>(pixels.data() + at + 2);
    const size_t length = Load<uint32_t>(pixels.data() + at + 4);
    if (tag == kSequenceEnd) {
      index.complete_ = true;
      break;
    }
    if (tag != kItem)
      return DataLoss("encapsulated pixel data has something other than a fragment at byte " +
                      std::to_string(at));
    at += 8;
    const size_t present = std::min(length, pixels.size() - at);
    if (table) {
      for (size_t i = 0; i + 4 <= present; i += 4)
        offsets.push_back(Load<uint32_t>(pixels.data() + at + i));
    } else {
      index.fragments_.push_back({at, present});
    }
    at += present;
    if (table) index.base_ = at;
    if (present < length) break;
  }
  if (index.fragments_.empty()) return DataLoss("encapsulated pixel data without a fragment");
  if (!index.complete_)
    warnings->push_back({"truncated-pixel-data",
                         "the encapsulated pixel data has no end: the file may be cut off"});
  const size_t count = index.fragments_.size();
  if (index.UseOffsets(extended_offsets, frames) || index.UseOffsets(offsets, frames)) return index;
  if (!offsets.empty())
    warnings->push_back(
        {"offset-table-ignored", "the offset table does not fit the fragments and was ignored"});
  if (frames == 1) {
    index.first_ = {0, count};
  } else if (static_cast<size_t>(frames) == count) {
    index.first_.resize(count + 1);
    std::iota(index.first_.begin(), index.first_.end(), size_t{0});
  } else if (!index.UseStartMarkers(frames)) {
    return DataLoss("encapsulated pixel data has " + std::to_string(count) + " fragments for " +
                    std::to_string(frames) +
                    " frames and no offset table that says which is whose");
  }
  return index;
}

bool FrameIndex::UseOffsets(std::span<const uint64_t> offsets, int64_t frames) {
  if (offsets.empty() || offsets.size() != static_cast<size_t>(frames)) return false;
  std::vector<size_t> first;
  size_t fragment = 0;
  for (const uint64_t offset : offsets) {
    // Offsets point at the item tag, eight bytes before the fragment's own bytes.
    while (fragment < fragments_.size() && fragments_[fragment].offset - 8 - base_ < offset)
      ++fragment;
    if (fragment == fragments_.size() || fragments_[fragment].offset - 8 - base_ != offset)
      return false;
    if (!first.empty() && fragment <= first.back()) return false;
    first.push_back(fragment);
  }
  if (first[0] != 0) return false;
  first.push_back(fragments_.size());
  first_ = std::move(first);
  return true;
}

bool FrameIndex::UseStartMarkers(int64_t frames) {
  std::vector<size_t> first;
  for (size_t i = 0; i < fragments_.size(); ++i) {
    if (StartsStream(pixels_.subspan(fragments_[i].offset, fragments_[i].length)))
      first.push_back(i);
  }
  first.push_back(fragments_.size());
  if (first[0] != 0 || first.size() < static_cast<size_t>(frames) + 1) return false;
  first.resize(static_cast<size_t>(frames) + 1);  // frames beyond the stated number are not read
  first_ = std::move(first);
  return true;
}

Result<std::span<const uint8_t>> FrameIndex::Frame(int64_t i, std::vector<uint8_t>* buffer) const {
  GALEN_CHECK(i >= 0 && static_cast<size_t>(i) + 1 < first_.size());
  const size_t begin = first_[static_cast<size_t>(i)];
  const size_t end = first_[static_cast<size_t>(i) + 1];
  if (end - begin == 1) return pixels_.subspan(fragments_[begin].offset, fragments_[begin].length);
  buffer->clear();
  for (size_t f = begin; f < end; ++f) {
    const std::span<const uint8_t> bytes =
        pixels_.subspan(fragments_[f].offset, fragments_[f].length);
    buffer->insert(buffer->end(), bytes.begin(), bytes.end());
  }
  return std::span<const uint8_t>(*buffer);
}

}  // namespace galen::dicom
