// Small DICOM files for unit tests, written byte by byte.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "media/dicom/data_set.h"

namespace galen::dicom {

// Appends elements in explicit little endian.
class DicomWriter {
 public:
  DicomWriter& Text(Tag tag, const char* vr, std::string_view value) {
    std::string padded(value);
    if (padded.size() % 2 != 0) padded += ' ';
    return Bytes(tag, vr, {padded.begin(), padded.end()});
  }
  DicomWriter& Word(Tag tag, uint16_t value) {
    return Bytes(tag, "US", {static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8)});
  }
  DicomWriter& Bytes(Tag tag, const char* vr, const std::vector<uint8_t>& value) {
    Header(tag, vr, static_cast<uint32_t>(value.size()));
    out_.insert(out_.end(), value.begin(), value.end());
    return *this;
  }
  // A header alone, so that a test can lie about the length.
  DicomWriter& Header(Tag tag, const char* vr, uint32_t length) {
    Put16(static_cast<uint16_t>(tag >> 16));
    Put16(static_cast<uint16_t>(tag));
    out_.push_back(static_cast<uint8_t>(vr[0]));
    out_.push_back(static_cast<uint8_t>(vr[1]));
    const std::string_view name(vr);
    if (name == "OB" || name == "OW" || name == "SQ" || name == "UN") {
      Put16(0);
      Put32(length);
    } else {
      Put16(static_cast<uint16_t>(length));
    }
    return *this;
  }
  DicomWriter& Item(uint32_t length) { return Structural(kItem, length); }
  DicomWriter& Structural(Tag tag, uint32_t length) {
    Put16(static_cast<uint16_t>(tag >> 16));
    Put16(static_cast<uint16_t>(tag));
    Put32(length);
    return *this;
  }
  DicomWriter& Append(const std::vector<uint8_t>& bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  const std::vector<uint8_t>& bytes() const { return out_; }

 private:
  void Put16(uint16_t v) {
    out_.push_back(static_cast<uint8_t>(v));
    out_.push_back(static_cast<uint8_t>(v >> 8));
  }
  void Put32(uint32_t v) {
    Put16(static_cast<uint16_t>(v));
    Put16(static_cast<uint16_t>(v >> 16));
  }
  std::vector<uint8_t> out_;
};

// Preamble, prefix and meta information in front of a data set.
inline std::vector<uint8_t> AsFile(const std::vector<uint8_t>& data_set,
                                   std::string_view syntax = "1.2.840.10008.1.2.1") {
  std::vector<uint8_t> file(128, 0);
  const char prefix[] = {'D', 'I', 'C', 'M'};
  file.insert(file.end(), prefix, prefix + 4);
  std::string uid(syntax);
  if (uid.size() % 2 != 0) uid += '\0';
  DicomWriter meta;
  meta.Bytes(kTransferSyntax, "UI", {uid.begin(), uid.end()});
  file.insert(file.end(), meta.bytes().begin(), meta.bytes().end());
  file.insert(file.end(), data_set.begin(), data_set.end());
  return file;
}

struct TestImage {
  uint16_t rows = 2;
  uint16_t columns = 3;
  uint16_t allocated = 16;
  uint16_t stored = 12;
  uint16_t high = 11;
  uint16_t is_signed = 0;
  std::string frames;
  std::string photometric = "MONOCHROME2";
  std::string patient = "secret-id";
  std::vector<uint8_t> pixels = {0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 255, 15};
  DicomWriter extra;  // elements between the header and the pixels

  DicomWriter DataSetBytes() const {
    DicomWriter w;
    w.Text(kSopClass, "UI", "1.2.840.10008.5.1.4.1.1.2").Text(kModality, "CS", "CT");
    w.Text(kPatientName, "PN", "Secret^Name").Text(kPatientId, "LO", patient);
    w.Word(kSamplesPerPixel, 1).Text(kPhotometric, "CS", photometric);
    if (!frames.empty()) w.Text(kNumberOfFrames, "IS", frames);
    w.Word(kRows, rows)
        .Word(kColumns, columns)
        .Word(kBitsAllocated, allocated)
        .Word(kBitsStored, stored);
    w.Word(kHighBit, high).Word(kPixelRepresentation, is_signed);
    return w;
  }
  std::vector<uint8_t> File() const {
    std::vector<uint8_t> bytes = DataSetBytes().bytes();
    bytes.insert(bytes.end(), extra.bytes().begin(), extra.bytes().end());
    DicomWriter data;
    data.Bytes(kPixelData, "OW", pixels);
    bytes.insert(bytes.end(), data.bytes().begin(), data.bytes().end());
    return AsFile(bytes);
  }
};

}  // namespace galen::dicom
