#include "media/dicom/lookup_table.h"

#include <string>

namespace galen::dicom {

std::optional<LutDescriptor> ReadDescriptor(const DataSet& data_set, Tag tag, bool is_signed) {
  const Element* element = data_set.Find(tag);
  const std::vector<uint16_t> words = data_set.Words(tag);
  if (element == nullptr || words.size() < 3) return std::nullopt;
  if (element->vr == Vr('S', 'S')) is_signed = true;
  if (element->vr == Vr('U', 'S')) is_signed = false;
  LutDescriptor descriptor;
  descriptor.count = words[0] == 0 ? 65536 : words[0];
  descriptor.first = is_signed ? static_cast<int16_t>(words[1]) : static_cast<int64_t>(words[1]);
  descriptor.bits = words[2];
  return descriptor;
}

Result<LookupTable> ReadLookupTable(const DataSet& item, bool is_signed) {
  const std::optional<LutDescriptor> descriptor = ReadDescriptor(item, kLutDescriptor, is_signed);
  const Element* data = item.Find(kLutData);
  if (!descriptor || data == nullptr) return DataLoss("lookup table without descriptor or data");
  const size_t count = descriptor->count;
  LookupTable table;
  table.first = descriptor->first;
  table.bits = descriptor->bits;
  if (table.bits < 1 || table.bits > 16)
    return DataLoss("lookup table of " + std::to_string(table.bits) + " bits");
  if (data->value.size() == count && table.bits <= 8 && count > 1) {  // bytes, packed
    table.entries.assign(data->value.begin(), data->value.end());
    return table;
  }
  table.entries = item.Words(kLutData);
  if (table.entries.size() < count) {
    return DataLoss("lookup table of " + std::to_string(table.entries.size()) + " entries where " +
                    std::to_string(count) + " are stated");
  }
  table.entries.resize(count);
  return table;
}

}  // namespace galen::dicom
