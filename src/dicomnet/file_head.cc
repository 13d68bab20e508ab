#include "dicomnet/file_head.h"

#include <cstdint>

namespace galen::dicomnet {
namespace {

// "2.25." and a random UUID, drawn once: no root is registered for galen.
constexpr char kImplementation[] = "2.25.110318276510523461289375510284063391827";

void Put(uint32_t number, int bytes, std::string* out) {
  for (int i = 0; i < bytes; ++i) *out += static_cast<char>(number >> (8 * i));
}

// Explicit little endian, of a VR with a length of 16 bits.
void PutText(uint16_t element, const char* vr, std::string value, char pad, std::string* out) {
  if (value.size() % 2 != 0) value += pad;
  Put(0x0002, 2, out);
  Put(element, 2, out);
  *out += vr;
  Put(static_cast<uint32_t>(value.size()), 2, out);
  *out += value;
}

}  // namespace

std::string FileHead(const std::string& sop_class, const std::string& instance,
                     const std::string& syntax) {
  std::string group;
  Put(0x0002, 2, &group);
  Put(0x0001, 2, &group);
  group += std::string("OB\0\0", 4);
  Put(2, 4, &group);
  group += std::string("\0\1", 2);  // version of the meta information
  PutText(0x0002, "UI", sop_class, '\0', &group);
  PutText(0x0003, "UI", instance, '\0', &group);
  PutText(0x0010, "UI", syntax, '\0', &group);
  PutText(0x0012, "UI", kImplementation, '\0', &group);
  PutText(0x0013, "SH", "GALEN", ' ', &group);
  std::string head(128, '\0');
  head += "DICM";
  Put(0x0002, 2, &head);
  Put(0x0000, 2, &head);
  head += "UL";
  Put(4, 2, &head);
  Put(static_cast<uint32_t>(group.size()), 4, &head);
  return head + group;
}

}  // namespace galen::dicomnet
