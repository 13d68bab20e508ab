// Typed access to GGUF metadata. Lengths were checked when the file was parsed; types and ranges
// are checked here.
#include <cstring>
#include <limits>

#include "formats/gguf.h"
#include "formats/quote.h"

namespace galen {
namespace {

template <typename T>
T Load(const uint8_t* p) {
  T value;
  std::memcpy(&value, p, sizeof(T));
  return value;
}

bool IsInteger(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kU16:
    case GgufType::kI16:
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kU64:
    case GgufType::kI64:
      return true;
    default:
      return false;
  }
}

// Steps through values of one integer type; `ok` becomes false for a u64 above 2^63-1.
int64_t NextInteger(GgufType type, const uint8_t** p, bool* ok) {
  const uint8_t* at = *p;
  switch (type) {
    case GgufType::kU8:
      *p += 1;
      return *at;
    case GgufType::kBool:
      *p += 1;
      return *at;
    case GgufType::kI8:
      *p += 1;
      return Load<int8_t>(at);
    case GgufType::kU16:
      *p += 2;
      return Load<uint16_t>(at);
    case GgufType::kI16:
      *p += 2;
      return Load<int16_t>(at);
    case GgufType::kU32:
      *p += 4;
      return Load<uint32_t>(at);
    case GgufType::kI32:
      *p += 4;
      return Load<int32_t>(at);
    case GgufType::kI64:
      *p += 8;
      return Load<int64_t>(at);
    default: {
      *p += 8;
      const uint64_t value = Load<uint64_t>(at);
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) *ok = false;
      return static_cast<int64_t>(value);
    }
  }
}

std::string FoundEntry(const GgufEntry& entry) {
  if (entry.type != GgufType::kArray) return std::string(GgufTypeName(entry.type));
  return "an array of " + std::to_string(entry.count) + " " +
         std::string(GgufTypeName(entry.element));
}

}  // namespace

const GgufEntry* GgufFile::Find(std::string_view key) const {
  const auto it = by_key_.find(key);
  return it == by_key_.end() ? nullptr : &metadata_[it->second];
}

Result<const GgufEntry*> GgufFile::Expect(std::string_view key, std::string_view expected) const {
  if (const GgufEntry* entry = Find(key)) return entry;
  return NotFound(name_ + ": metadata key " + Quoted(key) + " is missing (expected " +
                  std::string(expected) + "); the file was made by an old or unusual converter");
}

Status GgufFile::WrongType(const GgufEntry& entry, std::string_view expected) const {
  return DataLoss(name_ + ": metadata key " + Quoted(entry.key) + ": expected " +
                  std::string(expected) + ", found " + FoundEntry(entry));
}

Result<int64_t> GgufFile::GetInt(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, Expect(key, "an integer"));
  if (!IsInteger(entry->type)) return WrongType(*entry, "an integer");
  const uint8_t* p = entry->bytes.data();
  bool ok = true;
  const int64_t value = NextInteger(entry->type, &p, &ok);
  if (!ok) return WrongType(*entry, "an integer below 2^63");
  return value;
}

Result<double> GgufFile::GetDouble(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, Expect(key, "a number"));
  if (entry->type == GgufType::kF32) return double{Load<float>(entry->bytes.data())};
  if (entry->type == GgufType::kF64) return Load<double>(entry->bytes.data());
  if (!IsInteger(entry->type)) return WrongType(*entry, "a number");
  ASSIGN_OR_RETURN(const int64_t value, GetInt(key));
  return static_cast<double>(value);
}

Result<bool> GgufFile::GetBool(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, Expect(key, "a bool"));
  if (entry->type != GgufType::kBool) return WrongType(*entry, "a bool");
  return entry->bytes[0] != 0;
}

Result<std::string_view> GgufFile::GetString(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, Expect(key, "a string"));
  if (entry->type != GgufType::kString) return WrongType(*entry, "a string");
  return std::string_view(reinterpret_cast<const char*>(entry->bytes.data()), entry->bytes.size());
}

Result<std::vector<std::string_view>> GgufFile::GetStrings(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, Expect(key, "an array of strings"));
  if (entry->type != GgufType::kArray || entry->element != GgufType::kString) {
    return WrongType(*entry, "an array of strings");
  }
  std::vector<std::string_view> strings;
  strings.reserve(entry->count);
  const uint8_t* p = entry->bytes.data();
  for (uint64_t i = 0; i < entry->count; ++i) {
    const uint64_t length = Load<uint64_t>(p);
    strings.emplace_back(reinterpret_cast<const char*>(p + 8), length);
    p += 8 + length;
  }
  return strings;
}

Result<std::vector<int64_t>> GgufFile::GetInts(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, Expect(key, "an array of integers"));
  if (entry->type != GgufType::kArray ||
      !(IsInteger(entry->element) || entry->element == GgufType::kBool)) {
    return WrongType(*entry, "an array of integers");
  }
  std::vector<int64_t> values(entry->count);
  const uint8_t* p = entry->bytes.data();
  bool ok = true;
  for (int64_t& value : values) value = NextInteger(entry->element, &p, &ok);
  if (!ok) return WrongType(*entry, "integers below 2^63");
  return values;
}

Result<std::vector<float>> GgufFile::GetFloats(std::string_view key) const {
  ASSIGN_OR_RETURN(const GgufEntry* entry, Expect(key, "an array of floats"));
  const bool wide = entry->element == GgufType::kF64;
  if (entry->type != GgufType::kArray || !(wide || entry->element == GgufType::kF32)) {
    return WrongType(*entry, "an array of floats");
  }
  std::vector<float> values(entry->count);
  if (!wide) {
    if (!values.empty()) std::memcpy(values.data(), entry->bytes.data(), entry->bytes.size());
    return values;
  }
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(Load<double>(entry->bytes.data() + 8 * i));
  return values;
}

Result<std::vector<std::vector<int64_t>>> GgufFile::GetIntLists(std::string_view key) const {
  constexpr std::string_view kExpected = "an array of arrays of integers";
  ASSIGN_OR_RETURN(const GgufEntry* entry, Expect(key, kExpected));
  if (entry->type != GgufType::kArray || entry->element != GgufType::kArray)
    return WrongType(*entry, kExpected);
  std::vector<std::vector<int64_t>> lists;
  const uint8_t* p = entry->bytes.data();
  bool ok = true;
  for (uint64_t i = 0; i < entry->count; ++i) {
    const GgufType element = static_cast<GgufType>(Load<uint32_t>(p));
    const uint64_t count = Load<uint64_t>(p + 4);
    p += 12;
    if (!IsInteger(element) && element != GgufType::kBool) return WrongType(*entry, kExpected);
    std::vector<int64_t>& list = lists.emplace_back(count);
    for (int64_t& value : list) value = NextInteger(element, &p, &ok);
  }
  if (!ok) return WrongType(*entry, "integers below 2^63");
  return lists;
}

}  // namespace galen
