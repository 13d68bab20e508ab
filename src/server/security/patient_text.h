// Text that may be about a patient. It can be read only by asking for it by name; whatever prints,
// logs or formats the object gets its size and a digest under a key of this process, which
// nobody can look up afterwards.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

namespace galen::server {

class PatientText {
 public:
  PatientText() = default;
  explicit PatientText(std::string text) : text_(std::move(text)) {}

  const std::string& Reveal() const { return text_; }
  size_t size() const { return text_.size(); }
  // "42 bytes #9f3c5e0a1b2c3d4e".
  std::string Digest() const;

 private:
  std::string text_;
};

std::ostream& operator<<(std::ostream& out, const PatientText& text);

}  // namespace galen::server
