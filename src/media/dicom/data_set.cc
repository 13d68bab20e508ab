#include "media/dicom/data_set.h"

#include <charconv>
#include <cmath>
#include <string_view>

#include "media/dicom/byte_order.h"

namespace galen::dicom {
namespace {

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kPadding("\0 \t\r\n", 5);
  const size_t first = text.find_first_not_of(kPadding);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kPadding) - first + 1);
}

std::string_view AsText(const Element& element) {
  return {reinterpret_cast<const char*>(element.value.data()), element.value.size()};
}

std::optional<double> ParseNumber(std::string_view text) {
  text = Trim(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <typename T>
std::vector<double> LoadAll(std::span<const uint8_t> bytes, bool big_endian) {
  std::vector<double> values(bytes.size() / sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<double>(Load<T>(bytes.data() + i * sizeof(T), big_endian));
  }
  return values;
}

}  // namespace

const Element* DataSet::Find(Tag tag) const {
  for (const Element& element : elements_) {
    if (element.tag == tag) return &element;
  }
  return nullptr;
}

std::span<const DataSet> DataSet::Items(Tag tag) const {
  const Element* element = Find(tag);
  if (element == nullptr) return {};
  return element->items;
}

const DataSet* DataSet::Item(Tag tag) const {
  const std::span<const DataSet> items = Items(tag);
  return items.empty() ? nullptr : &items[0];
}

std::vector<std::string> DataSet::Texts(Tag tag) const {
  std::vector<std::string> values;
  const Element* element = Find(tag);
  if (element == nullptr) return values;
  std::string_view rest = AsText(*element);
  while (true) {
    const size_t end = rest.find('\\');
    values.emplace_back(Trim(rest.substr(0, end)));
    if (end == std::string_view::npos) return values;
    rest.remove_prefix(end + 1);
  }
}

std::string DataSet::Text(Tag tag) const {
  const Element* element = Find(tag);
  if (element == nullptr) return {};
  const std::string_view text = AsText(*element);
  return std::string(Trim(text.substr(0, text.find('\\'))));
}

std::string DataSet::RawText(Tag tag) const {
  const Element* element = Find(tag);
  return element == nullptr ? std::string() : std::string(Trim(AsText(*element)));
}

std::vector<double> DataSet::Numbers(Tag tag, uint16_t vr) const {
  const Element* element = Find(tag);
  if (element == nullptr) return {};
  if (element->vr != 0 && element->vr != Vr('U', 'N')) vr = element->vr;
  const std::span<const uint8_t> value = element->value;
  switch (vr) {
    case Vr('U', 'S'):
      return LoadAll<uint16_t>(value, big_endian_);
    case Vr('S', 'S'):
      return LoadAll<int16_t>(value, big_endian_);
    case Vr('U', 'L'):
      return LoadAll<uint32_t>(value, big_endian_);
    case Vr('S', 'L'):
      return LoadAll<int32_t>(value, big_endian_);
    case Vr('U', 'V'):
      return LoadAll<uint64_t>(value, big_endian_);
    case Vr('S', 'V'):
      return LoadAll<int64_t>(value, big_endian_);
    case Vr('F', 'L'):
      return LoadAll<float>(value, big_endian_);
    case Vr('F', 'D'):
      return LoadAll<double>(value, big_endian_);
    default:
      break;
  }
  std::vector<double> values;
  for (const std::string& text : Texts(tag)) {
    const std::optional<double> number = ParseNumber(text);
    if (!number) return {};
    values.push_back(*number);
  }
  return values;
}

std::optional<double> DataSet::Number(Tag tag, uint16_t vr) const {
  const std::vector<double> values = Numbers(tag, vr);
  if (values.empty()) return std::nullopt;
  return values[0];
}

std::optional<int64_t> DataSet::Integer(Tag tag, uint16_t vr) const {
  const std::optional<double> value = Number(tag, vr);
  // Within 2^53 every integer is exact; no attribute that is read as an integer needs more.
  if (!value || std::abs(*value) > 9007199254740992.0 || *value != std::floor(*value))
    return std::nullopt;
  return static_cast<int64_t>(*value);
}

std::vector<uint16_t> DataSet::Words(Tag tag) const {
  const Element* element = Find(tag);
  if (element == nullptr) return {};
  std::vector<uint16_t> words(element->value.size() / 2);
  for (size_t i = 0; i < words.size(); ++i) {
    words[i] = Load<uint16_t>(element->value.data() + 2 * i, big_endian_);
  }
  return words;
}

}  // namespace galen::dicom
