// Elements of a data set (PS3.5 chapter 7): implicit or explicit VR, either byte order, defined and
// undefined lengths.
//
// Own code rather than DCMTK's parser: lengths, depth and the number of elements are bounded before
// anything is allocated, values are not copied (a slide of gigabytes stays a mapping), and the
// header of a slice costs some microseconds.
#pragma once

#include <cstdint>
#include <span>

#include "base/status.h"
#include "media/dicom/data_set.h"
#include "media/dicom/options.h"

namespace galen::dicom {

struct Encoding {
  bool explicit_vr = true;
  bool big_endian = false;
};

// Parses `bytes`, which must outlive the result. Encapsulated pixel data (undefined length) ends
// the parse: its value is the rest of the bytes. Errors name the byte offset: lengths past the end,
// nesting or counts above the options' limits.
Result<DataSet> ParseDataSet(std::span<const uint8_t> bytes, Encoding encoding,
                             const DicomOptions& options, DicomWarnings* warnings);

// Guesses the encoding of a data set without file meta information from its first element; fails
// when it is none.
Result<Encoding> GuessEncoding(std::span<const uint8_t> bytes);

// Finds where group 0002 ends: the offset of the first element of another group. Explicit little
// endian.
Result<DataSet> ParseMetaInformation(std::span<const uint8_t> bytes, const DicomOptions& options,
                                     size_t* end);

}  // namespace galen::dicom
