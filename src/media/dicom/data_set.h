// A parsed data set: an index of elements whose values stay where they are in the file. Every
// getter checks lengths and answers "absent" for what it cannot read.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "media/dicom/tags.h"

namespace galen::dicom {

// A value representation as its two letters (PS3.5 6.2); 0 where the file names none.
constexpr uint16_t Vr(char a, char b) {
  return static_cast<uint16_t>(static_cast<unsigned char>(a) << 8 | static_cast<unsigned char>(b));
}

class DataSet;

struct Element {
  Tag tag = 0;
  uint16_t vr = 0;
  bool undefined_length = false;
  bool truncated = false;          // the file ends inside the value (top-level pixel data only)
  std::span<const uint8_t> value;  // empty for sequences of undefined length
  std::vector<DataSet> items;      // of the sequences that the reader uses
};

class DataSet {
 public:
  explicit DataSet(bool big_endian = false) : big_endian_(big_endian) {}

  bool big_endian() const { return big_endian_; }
  const std::vector<Element>& elements() const { return elements_; }
  std::vector<Element>& mutable_elements() { return elements_; }

  const Element* Find(Tag tag) const;
  bool Has(Tag tag) const { return Find(tag) != nullptr; }
  // Items of a sequence; none when it is absent.
  std::span<const DataSet> Items(Tag tag) const;
  // First item of a sequence, or null.
  const DataSet* Item(Tag tag) const;

  // Text values are split at backslashes and trimmed of spaces and zeros.
  std::string Text(Tag tag) const;
  std::vector<std::string> Texts(Tag tag) const;
  // The whole value as text, backslashes included.
  std::string RawText(Tag tag) const;

  // Numbers of the VRs IS, DS, US, SS, UL, SL, FL, FD, UV, SV. Where the file gives no VR, `vr`
  // says what the dictionary has.
  std::vector<double> Numbers(Tag tag, uint16_t vr) const;
  std::optional<double> Number(Tag tag, uint16_t vr) const;
  std::optional<int64_t> Integer(Tag tag, uint16_t vr) const;
  // 16-bit words of a US, SS or OW value.
  std::vector<uint16_t> Words(Tag tag) const;

 private:
  std::vector<Element> elements_;
  bool big_endian_;
};

}  // namespace galen::dicom
