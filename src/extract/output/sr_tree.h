// A DICOM structured report as a tree of content items, written by DCMTK. PS3.3 A.35.3
// (Comprehensive SR), C.17.3.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

class DSRDocument;

namespace galen::extract {
struct SourceStudy;
}

namespace galen::extract::sr {

struct Code {
  std::string value, scheme, meaning;
};
// Codes of galen's own: names of fields, kinds of checks.
inline constexpr const char* kOwnScheme = "99GALEN";

enum class Link { kContains, kHasContext, kModifiedBy, kHasProperty, kInferredFrom };

// What stands in the data set beside the tree. Texts are UTF-8 and may be anything; dates are
// "2026-01-31" or empty.
struct Header {
  std::string patient_name, patient_id, patient_birth_date;
  std::string patient_sex;  // "M", "F", "O" or empty
  std::string study_uid, series_uid, instance_uid;
  std::string study_date, study_description;
  std::string written;                 // "2026-01-31T12:00:00Z"
  std::string version;                 // of galen
  const SourceStudy* study = nullptr;  // stands for patient and study, if there is one
};

class Tree {
 public:
  // The root is a container of TID 1500.
  explicit Tree(const Code& title);
  ~Tree();
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  // Each adds an item below the current one; `inside` adds what is below that.
  using Inside = std::function<void()>;
  void Container(Link link, const Code& name, const char* template_id, const Inside& inside);
  void Text(Link link, const Code& name, std::string_view text, const Inside& inside = {});
  void CodeItem(Link link, const Code& name, const Code& value);
  void Uid(Link link, const Code& name, const std::string& uid);
  // decimal: of any length; what DICOM has no room for (16 characters) is rounded to what fits, and
  // the whole stands in a text below. date: of the observation, or empty.
  void Number(Link link, const Code& name, const std::string& decimal, const Code& unit,
              const std::string& date = "", const Inside& inside = {});

  // The file: explicit little endian, ISO_IR 192, completion PARTIAL, UNVERIFIED, PRELIMINARY.
  // Throws InternalError where DCMTK refuses what was made.
  std::string Write(const Header& header);

 private:
  enum class Type;
  void Add(Link link, Type type, const Code& name);
  void Below(const Inside& inside);

  std::unique_ptr<DSRDocument> document_;
};

// "2.25." and the decimal of 32 hexadecimal digits (PS3.5 B.2).
std::string UidOfUuid(std::string_view hex);

// One line of at most `most` characters, without what short texts of DICOM may not have (control
// characters, backslashes); what is no UTF-8 is replaced.
std::string ShortText(std::string_view text, size_t most = 64);
// The same for long texts: lines stay, nothing is cut.
std::string LongText(std::string_view text);

}  // namespace galen::extract::sr
