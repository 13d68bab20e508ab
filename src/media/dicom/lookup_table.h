// Lookup tables (PS3.3 C.11.1.1, C.11.2.1.1): one value for each input from `first` on; inputs
// outside take the end entries.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/status.h"
#include "media/dicom/data_set.h"

namespace galen::dicom {

struct LookupTable {
  int64_t first = 0;
  int bits = 16;                  // of an entry
  std::vector<uint16_t> entries;  // never empty

  uint16_t At(double input) const {
    if (!(input > static_cast<double>(first))) return entries.front();
    const double index = input - static_cast<double>(first);
    const double last = static_cast<double>(entries.size() - 1);
    return entries[static_cast<size_t>(index < last ? index : last)];
  }
  // Largest value that an entry can have.
  double Top() const { return static_cast<double>((int64_t{1} << bits) - 1); }
};

// The three values of a descriptor: number of entries, first input, bits of an entry (PS3.3
// C.11.1.1.1, C.7.6.3.1.5).
struct LutDescriptor {
  size_t count = 0;
  int64_t first = 0;
  int bits = 0;
};

// None when the element is missing or short. `is_signed`: how the first input is to be read where
// the file leaves it open (US or SS).
std::optional<LutDescriptor> ReadDescriptor(const DataSet& data_set, Tag tag, bool is_signed);

// Reads the table of a Modality LUT, VOI LUT or Presentation LUT item.
Result<LookupTable> ReadLookupTable(const DataSet& item, bool is_signed);

}  // namespace galen::dicom
