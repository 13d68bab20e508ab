// Where the compressed frames of encapsulated pixel data lie (PS3.5 A.4): the fragments of a frame,
// found by the extended offset table, the basic offset table, one fragment per frame, or the start
// markers of the code streams, in this order.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "media/dicom/data_set.h"
#include "media/dicom/options.h"

namespace galen::dicom {

class FrameIndex {
 public:
  // `pixels` is the value of the pixel data element, from the item of the basic offset table on.
  static Result<FrameIndex> Build(std::span<const uint8_t> pixels, int64_t frames,
                                  std::span<const uint64_t> extended_offsets,
                                  DicomWarnings* warnings);

  // The bytes of frame i. `buffer` is used when they are scattered over several fragments.
  Result<std::span<const uint8_t>> Frame(int64_t i, std::vector<uint8_t>* buffer) const;

 private:
  struct Fragment {
    size_t offset = 0;  // of its bytes in pixels_
    size_t length = 0;
  };
  bool UseOffsets(std::span<const uint64_t> offsets, int64_t frames);
  bool UseStartMarkers(int64_t frames);

  std::span<const uint8_t> pixels_;
  size_t base_ = 0;        // of the first item after the offset table
  bool complete_ = false;  // the sequence has its end marker
  std::vector<Fragment> fragments_;
  std::vector<size_t> first_;  // frame -> first fragment; one more entry for the end
};

}  // namespace galen::dicom
