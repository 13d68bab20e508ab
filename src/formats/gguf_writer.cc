#include "formats/gguf_writer.h"

#include <algorithm>
#include <cstring>

namespace galen {
namespace {

template <typename T>
void Append(std::string* out, T value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void AppendText(std::string* out, std::string_view text) {
  Append(out, static_cast<uint64_t>(text.size()));
  out->append(text);
}

std::string Typed(GgufType type) {
  std::string bytes;
  Append(&bytes, static_cast<uint32_t>(type));
  return bytes;
}

template <typename T>
std::string Scalar(GgufType type, T value) {
  std::string bytes = Typed(type);
  Append(&bytes, value);
  return bytes;
}

std::string ArrayOf(GgufType element, uint64_t count) {
  std::string bytes = Typed(GgufType::kArray);
  Append(&bytes, static_cast<uint32_t>(element));
  Append(&bytes, count);
  return bytes;
}

template <typename T>
std::string Array(GgufType element, std::span<const T> values) {
  std::string bytes = ArrayOf(element, values.size());
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return bytes;
}

int64_t Aligned(int64_t n) {
  return (n + GgufWriter::kAlignment - 1) / GgufWriter::kAlignment * GgufWriter::kAlignment;
}

}  // namespace

void GgufWriter::Put(std::string_view key, std::string bytes) {
  for (Value& value : values_) {
    if (value.key == key) {
      value.bytes = std::move(bytes);
      return;
    }
  }
  values_.push_back({std::string(key), std::move(bytes)});
}

void GgufWriter::Set(std::string_view key, std::string_view text) {
  std::string bytes = Typed(GgufType::kString);
  AppendText(&bytes, text);
  Put(key, std::move(bytes));
}
void GgufWriter::Set(std::string_view key, uint32_t value) {
  Put(key, Scalar(GgufType::kU32, value));
}
void GgufWriter::Set(std::string_view key, float value) { Put(key, Scalar(GgufType::kF32, value)); }
void GgufWriter::Set(std::string_view key, bool value) {
  Put(key, Scalar(GgufType::kBool, static_cast<uint8_t>(value)));
}
void GgufWriter::Set(std::string_view key, std::span<const std::string> texts) {
  std::string bytes = ArrayOf(GgufType::kString, texts.size());
  for (const std::string& text : texts) AppendText(&bytes, text);
  Put(key, std::move(bytes));
}
void GgufWriter::Set(std::string_view key, std::span<const float> values) {
  Put(key, Array(GgufType::kF32, values));
}
void GgufWriter::Set(std::string_view key, std::span<const int32_t> values) {
  Put(key, Array(GgufType::kI32, values));
}
void GgufWriter::Set(std::string_view key, std::span<const uint32_t> values) {
  Put(key, Array(GgufType::kU32, values));
}

void GgufWriter::Copy(const GgufEntry& entry) {
  std::string bytes;
  if (entry.type == GgufType::kArray) {
    bytes = ArrayOf(entry.element, entry.count);
  } else {
    bytes = Typed(entry.type);
    if (entry.type == GgufType::kString) Append(&bytes, static_cast<uint64_t>(entry.bytes.size()));
  }
  bytes.append(reinterpret_cast<const char*>(entry.bytes.data()), entry.bytes.size());
  Put(entry.key, std::move(bytes));
}

void GgufWriter::AddTensor(std::string name, DType dtype, std::vector<int64_t> shape) {
  GALEN_CHECK(FormatOf(dtype).gguf_type >= 0 && !shape.empty());
  tensors_.push_back({std::move(name), dtype, std::move(shape)});
}

int64_t GgufWriter::TensorBytes(DType dtype, const std::vector<int64_t>& shape) {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows * RowBytes(dtype, shape.back());
}

GgufWriter::Layout GgufWriter::Finish() const {
  Layout layout;
  std::string& header = layout.header;
  header = "GGUF";
  Append(&header, uint32_t{3});
  Append(&header, static_cast<uint64_t>(tensors_.size()));
  Append(&header, static_cast<uint64_t>(values_.size()));
  for (const Value& value : values_) {
    AppendText(&header, value.key);
    header += value.bytes;
  }
  int64_t offset = 0;
  for (const Tensor& tensor : tensors_) {
    AppendText(&header, tensor.name);
    Append(&header, static_cast<uint32_t>(tensor.shape.size()));
    for (size_t i = tensor.shape.size(); i-- > 0;) {
      Append(&header, static_cast<uint64_t>(tensor.shape[i]));
    }
    Append(&header, static_cast<uint32_t>(FormatOf(tensor.dtype).gguf_type));
    Append(&header, static_cast<uint64_t>(offset));
    layout.offsets.push_back(offset);
    offset += Aligned(TensorBytes(tensor.dtype, tensor.shape));
  }
  header.resize(static_cast<size_t>(Aligned(static_cast<int64_t>(header.size()))), '\0');
  const auto data = static_cast<int64_t>(header.size());
  for (int64_t& at : layout.offsets) at += data;
  layout.file_bytes = data + offset;
  return layout;
}

}  // namespace galen
