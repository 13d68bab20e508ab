#include "server/security/patient_text.h"

#include <cinttypes>
#include <cstdio>

#include "base/siphash.h"

namespace galen::server {

std::string PatientText::Digest() const {
  static const SipKey key = RandomSipKey();
  const auto* bytes = reinterpret_cast<const uint8_t*>(text_.data());
  const Digest128 digest = SipHash128(key, {bytes, text_.size()});
  char text[64];
  std::snprintf(text, sizeof(text), "%zu bytes #%016" PRIx64, text_.size(), digest.low);
  return text;
}

std::ostream& operator<<(std::ostream& out, const PatientText& text) {
  return out << text.Digest();
}

}  // namespace galen::server
