// From the bytes of one frame to its stored values, whatever the codec.
#pragma once

#include <cstdint>
#include <span>

#include "base/status.h"
#include "media/dicom/pixel_format.h"
#include "media/dicom/stored_frame.h"
#include "media/dicom/transfer_syntax.h"

namespace galen::dicom {

// Decodes the bytes of one compressed frame. Values are those of pydicom 3's pixel_array(raw=True):
// unused bits are cleared or sign-extended, a sign that the code stream lacks is restored, samples
// are interleaved.
Result<StoredFrame> DecodeCompressed(std::span<const uint8_t> bytes, PixelCodec codec,
                                     const PixelFormat& format);

// Wraps the bytes that DecodeNative made.
StoredFrame FinishNative(std::vector<uint8_t> bytes, const PixelFormat& format);

}  // namespace galen::dicom
