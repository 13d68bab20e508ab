#include "formats/bitsandbytes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "base/json.h"
#include "formats/quote.h"
#include "tensor/formats/bnb_4bit.h"
#include "tensor/formats/bnb_int8.h"

namespace galen {
namespace {

float FloatAt(std::span<const uint8_t> bytes, int64_t i) {
  float value;
  std::memcpy(&value, bytes.data() + 4 * i, sizeof(value));
  return value;
}

const float* ValuesOf(BnbKind kind) {
  return Bnb4Values(kind == BnbKind::kNf4 ? Bnb4Type::kNf4 : Bnb4Type::kFp4);
}

int64_t Blocks(int64_t n, int64_t size) { return n / size + (n % size != 0 ? 1 : 0); }

// ---- putting the parts together

constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kState = ".quant_state.bitsandbytes__";

class Folder {
 public:
  Folder(std::vector<TensorInfo>* tensors, const std::string& file)
      : tensors_(tensors), file_(file) {
    for (size_t i = 0; i < tensors->size(); ++i) by_name_.emplace((*tensors)[i].name, i);
  }

  Status Run() {
    for (size_t i = 0; i < tensors_->size(); ++i) {
      const std::string& name = (*tensors_)[i].name;
      if (const size_t at = name.find(kState); at != std::string::npos) {
        RETURN_IF_ERROR(Fold4Bit(name.substr(0, at), i));
      } else if (name.ends_with(".SCB")) {
        RETURN_IF_ERROR(FoldInt8(name.substr(0, name.size() - 4) + std::string(kWeight), i));
      }
    }
    std::vector<TensorInfo> kept;
    for (size_t i = 0; i < tensors_->size(); ++i) {
      if (parts_.count(i) == 0) kept.push_back(std::move((*tensors_)[i]));
    }
    *tensors_ = std::move(kept);
    return OkStatus();
  }

 private:
  Status Wrong(const TensorInfo& tensor, const std::string& what) const {
    return DataLoss(file_ + ": tensor " + Quoted(tensor.name) + ": " + what +
                    "; the checkpoint is damaged or incomplete: save or download it again");
  }

  // Null: absent.
  const TensorInfo* Take(const std::string& name) {
    const auto it = by_name_.find(name);
    if (it == by_name_.end()) return nullptr;
    parts_.insert(it->second);
    return &(*tensors_)[it->second];
  }

  Result<const TensorInfo*> Take(const std::string& name, DType dtype, int64_t count,
                                 const TensorInfo& because) {
    const TensorInfo* tensor = Take(name);
    if (tensor == nullptr) {
      return NotFound(file_ + ": tensor " + Quoted(name) + " is missing, though " +
                      Quoted(because.name) +
                      " is there; the checkpoint is incomplete: save or download it again");
    }
    if (!tensor->supported || tensor->dtype != dtype || tensor->NumElements() != count) {
      return Wrong(*tensor, "expected " + std::to_string(count) + " values of type " +
                                FormatOf(dtype).name + ", found " +
                                std::to_string(tensor->NumElements()) + " of type " +
                                std::string(tensor->type_name));
    }
    return tensor;
  }

  Status Fold4Bit(const std::string& weight_name, size_t state_index) {
    const TensorInfo& state = (*tensors_)[state_index];
    parts_.insert(state_index);
    const auto it = by_name_.find(weight_name);
    if (it == by_name_.end()) {
      return NotFound(file_ + ": tensor " + Quoted(weight_name) + " is missing, though " +
                      Quoted(state.name) + " is there; save or download the checkpoint again");
    }
    TensorInfo& weight = (*tensors_)[it->second];
    if (weight.bnb != nullptr) return Wrong(weight, "it has two quantisation states");

    auto bnb = std::make_shared<BnbTensor>();
    Result<Json> json =
        ParseJson({reinterpret_cast<const char*>(state.bytes.data()), state.bytes.size()}, 8);
    if (!json.ok() || !json->is_object()) return Wrong(state, "expected a JSON object");
    ASSIGN_OR_RETURN(const std::string type, Text(*json, "quant_type", state));
    if (type != "nf4" && type != "fp4") {
      return Unsupported(file_ + ": tensor " + Quoted(state.name) + ": quant_type is " +
                         Quoted(type) + "; known are nf4 and fp4");
    }
    bnb->kind = type == "nf4" ? BnbKind::kNf4 : BnbKind::kFp4;
    ASSIGN_OR_RETURN(const std::string decoded, Text(*json, "dtype", state));
    if (decoded == "bfloat16") {
      bnb->decoded = DType::kBF16;
    } else if (decoded == "float16") {
      bnb->decoded = DType::kF16;
    } else if (decoded != "float32") {
      return Unsupported(file_ + ": tensor " + Quoted(state.name) + ": dtype is " +
                         Quoted(decoded) + "; known are bfloat16, float16 and float32");
    }
    ASSIGN_OR_RETURN(bnb->blocksize, Number(*json, "blocksize", 2, 1 << 20, state));
    if (bnb->blocksize % 2 != 0) return Wrong(state, "blocksize is odd");
    RETURN_IF_ERROR(ReadShape(*json, state, bnb.get()));
    const int64_t n = bnb->rows * bnb->cols;
    if (static_cast<int64_t>(weight.bytes.size()) != n / 2 + n % 2) {
      return Wrong(weight, "expected " + std::to_string(n / 2 + n % 2) + " bytes of codes for [" +
                               std::to_string(bnb->rows) + ", " + std::to_string(bnb->cols) +
                               "], found " + std::to_string(weight.bytes.size()));
    }
    bnb->codes = weight.bytes;
    RETURN_IF_ERROR(CheckTable(weight_name, weight, *bnb));
    RETURN_IF_ERROR(ReadScales(weight_name, weight, *json, state, bnb.get()));

    const bool whole = bnb->cols % 64 == 0 && bnb->blocksize % 64 == 0;
    const DType blocks = bnb->kind == BnbKind::kNf4 ? DType::kNF4 : DType::kFP4;
    weight.shape = {bnb->rows, bnb->cols};
    weight.type_name = FormatOf(blocks).name;
    weight.dtype = whole ? blocks : bnb->decoded;
    weight.supported = true;
    weight.bnb = std::move(bnb);
    return OkStatus();
  }

  Status ReadShape(const Json& json, const TensorInfo& state, BnbTensor* bnb) const {
    const auto it = json.find("shape");
    if (it == json.end() || !it->is_array() || it->size() != 2) {
      return Wrong(state, "expected a \"shape\" of two numbers");
    }
    int64_t dims[2] = {};
    for (size_t i = 0; i < 2; ++i) {
      if (!(*it)[i].is_number_integer()) return Wrong(state, "a size of its shape is no integer");
      dims[i] = (*it)[i].get<int64_t>();
    }
    constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();  // bitsandbytes' own limit
    if (dims[0] < 1 || dims[1] < 1 || dims[0] > kLargest || dims[1] > kLargest) {
      return Wrong(state, "sizes of its shape are out of range");
    }
    bnb->rows = dims[0];
    bnb->cols = dims[1];
    return OkStatus();
  }

  // Kernels know the two published tables; a file with another one would decode differently.
  Status CheckTable(const std::string& name, const TensorInfo& weight, const BnbTensor& bnb) {
    ASSIGN_OR_RETURN(const TensorInfo* map, Take(name + ".quant_map", DType::kF32, 16, weight));
    for (int i = 0; i < 16; ++i) {
      if (FloatAt(map->bytes, i) != ValuesOf(bnb.kind)[i]) {
        return Unsupported(file_ + ": tensor " + Quoted(map->name) + ": value " +
                           std::to_string(i) + " is " + std::to_string(FloatAt(map->bytes, i)) +
                           " and not the published " + std::to_string(ValuesOf(bnb.kind)[i]));
      }
    }
    return OkStatus();
  }

  Status ReadScales(const std::string& name, const TensorInfo& weight, const Json& json,
                    const TensorInfo& state, BnbTensor* bnb) {
    const int64_t blocks = Blocks(bnb->rows * bnb->cols, bnb->blocksize);
    const bool nested = by_name_.count(name + ".nested_absmax") != 0;
    const DType stored = nested ? DType::kU8 : DType::kF32;
    ASSIGN_OR_RETURN(const TensorInfo* absmax, Take(name + ".absmax", stored, blocks, weight));
    bnb->absmax = absmax->bytes;
    if (!nested) return OkStatus();
    ASSIGN_OR_RETURN(bnb->nested_blocksize, Number(json, "nested_blocksize", 1, 1 << 20, state));
    const auto offset = json.find("nested_offset");
    if (offset == json.end() || !offset->is_number()) {
      return Wrong(state, "expected a number \"nested_offset\"");
    }
    bnb->nested_offset = static_cast<float>(offset->get<double>());
    ASSIGN_OR_RETURN(const TensorInfo* outer, Take(name + ".nested_absmax", DType::kF32,
                                                   Blocks(blocks, bnb->nested_blocksize), weight));
    bnb->nested_absmax = outer->bytes;
    ASSIGN_OR_RETURN(const TensorInfo* map,
                     Take(name + ".nested_quant_map", DType::kF32, 256, weight));
    for (int i = 0; i < 256; ++i) bnb->nested_map.push_back(FloatAt(map->bytes, i));
    return OkStatus();
  }

  Status FoldInt8(const std::string& weight_name, size_t scb_index) {
    const TensorInfo& scb = (*tensors_)[scb_index];
    parts_.insert(scb_index);
    const auto it = by_name_.find(weight_name);
    if (it == by_name_.end()) {
      return NotFound(file_ + ": tensor " + Quoted(weight_name) + " is missing, though " +
                      Quoted(scb.name) + " is there; save or download the checkpoint again");
    }
    TensorInfo& weight = (*tensors_)[it->second];
    if (weight.dtype != DType::kI8 || weight.shape.size() != 2) {
      return Wrong(weight, "expected a matrix of type i8 beside " + Quoted(scb.name) +
                               ", found type " + std::string(weight.type_name));
    }
    auto bnb = std::make_shared<BnbTensor>();
    bnb->kind = BnbKind::kInt8;
    bnb->rows = weight.shape[0];
    bnb->cols = weight.shape[1];
    bnb->codes = weight.bytes;
    const std::string stem = weight_name.substr(0, weight_name.size() - kWeight.size());
    ASSIGN_OR_RETURN(const TensorInfo* scales, Take(scb.name, DType::kF32, bnb->rows, weight));
    bnb->absmax = scales->bytes;
    // 0: rows as they are. Other numbers are layouts of old GPU kernels.
    if (const TensorInfo* format = Take(weight_name + "_format"); format != nullptr) {
      const uint8_t value = format->bytes.empty() ? 0 : format->bytes[0];
      if (value != 0) {
        return Unsupported(file_ + ": tensor " + Quoted(format->name) + " is " +
                           std::to_string(value) +
                           ", a layout for one kind of GPU; save the model again with a current "
                           "bitsandbytes");
      }
    }
    weight.type_name = FormatOf(DType::kINT8).name;
    weight.dtype = bnb->cols % 16 == 0 ? DType::kINT8 : DType::kF32;
    weight.bnb = std::move(bnb);
    return OkStatus();
  }

  Result<std::string> Text(const Json& json, const char* key, const TensorInfo& state) const {
    const auto it = json.find(key);
    if (it == json.end() || !it->is_string()) {
      return Wrong(state, std::string("expected a text \"") + key + "\"");
    }
    return it->get<std::string>();
  }

  Result<int64_t> Number(const Json& json, const char* key, int64_t low, int64_t high,
                         const TensorInfo& state) const {
    const auto it = json.find(key);
    if (it == json.end() || !it->is_number_integer() || it->get<int64_t>() < low ||
        it->get<int64_t>() > high) {
      return Wrong(state, std::string("expected a whole number \"") + key + "\" from " +
                              std::to_string(low) + " to " + std::to_string(high));
    }
    return it->get<int64_t>();
  }

  std::vector<TensorInfo>* tensors_;
  const std::string& file_;
  std::map<std::string, size_t> by_name_;
  std::set<size_t> parts_;
};

}  // namespace

float BnbTensor::Scale(int64_t block) const {
  if (nested_map.empty()) return FloatAt(absmax, block);
  const float outer = FloatAt(nested_absmax, block / nested_blocksize);
  const float inner = nested_map[absmax[block]] * outer;
  return inner + nested_offset;
}

void BnbTensor::Decode(int64_t begin, int64_t end, float* values) const {
  if (kind == BnbKind::kInt8) {
    for (int64_t i = begin; i < end; ++i) {
      *values++ =
          static_cast<float>(static_cast<int8_t>(codes[i])) * Scale(i / cols) * kBnbInt8Step;
    }
    return;
  }
  const float* table = ValuesOf(kind);
  for (int64_t i = begin; i < end;) {
    const int64_t block = i / blocksize;
    const int64_t stop = std::min(end, (block + 1) * blocksize);
    const float scale = Scale(block);
    for (; i < stop; ++i) {
      const int code = i % 2 == 0 ? codes[i / 2] >> 4 : codes[i / 2] & 15;
      *values++ = table[code] * scale;
    }
  }
}

void BnbTensor::ReadRows(DType dtype, int64_t row0, int64_t row1, uint8_t* dst) const {
  if (dtype == DType::kNF4 || dtype == DType::kFP4) {
    auto* block = reinterpret_cast<BlockBnb4*>(dst);
    for (int64_t i = row0 * cols; i < row1 * cols; i += 64, ++block) {
      block->absmax = Scale(i / blocksize);
      std::memcpy(block->qs, codes.data() + i / 2, 32);
    }
  } else if (dtype == DType::kINT8) {
    auto* block = reinterpret_cast<BlockBnbInt8*>(dst);
    for (int64_t row = row0; row < row1; ++row) {
      const float scale = Scale(row);
      for (int64_t col = 0; col < cols; col += 16, ++block) {
        block->scb = scale;
        std::memcpy(block->qs, codes.data() + row * cols + col, 16);
      }
    }
  } else {
    std::vector<float> values(static_cast<size_t>(cols));
    const BlockFormat& format = FormatOf(dtype);
    for (int64_t row = row0; row < row1; ++row, dst += cols * format.block_bytes) {
      Decode(row * cols, (row + 1) * cols, values.data());
      format.encode(values.data(), nullptr, dst, cols);
    }
  }
}

Status FoldBnbTensors(std::vector<TensorInfo>* tensors, const std::string& file) {
  const bool any = std::any_of(tensors->begin(), tensors->end(), [](const TensorInfo& t) {
    return t.name.find(kState) != std::string::npos || t.name.ends_with(".SCB");
  });
  return any ? Folder(tensors, file).Run() : OkStatus();
}

int64_t TensorBytes(const TensorInfo& tensor) {
  return tensor.bnb != nullptr ? tensor.bnb->bytes() : static_cast<int64_t>(tensor.bytes.size());
}

const uint8_t* TensorRows(const TensorInfo& tensor, int64_t cols, int64_t row0, int64_t row1,
                          std::vector<uint8_t>* scratch) {
  const int64_t row_bytes = RowBytes(tensor.dtype, cols);
  if (tensor.bnb == nullptr) return tensor.bytes.data() + row0 * row_bytes;
  scratch->resize(static_cast<size_t>((row1 - row0) * row_bytes));
  tensor.bnb->ReadRows(tensor.dtype, tensor.bnb_row0 + row0, tensor.bnb_row0 + row1,
                       scratch->data());
  return scratch->data();
}

}  // namespace galen
