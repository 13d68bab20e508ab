#include "formats/quantization_level.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <string_view>

#include "formats/bitsandbytes.h"
#include "tensor/dtype.h"

namespace galen {
namespace {

// llama_ftype of llama.cpp's llama.h, without those that galen cannot read at all by name.
std::string_view NameOfFileType(int64_t type) {
  switch (type) {
    case 0:
      return "F32";
    case 1:
      return "F16";
    case 2:
      return "Q4_0";
    case 3:
      return "Q4_1";
    case 7:
      return "Q8_0";
    case 8:
      return "Q5_0";
    case 9:
      return "Q5_1";
    case 10:
      return "Q2_K";
    case 11:
      return "Q3_K_S";
    case 12:
      return "Q3_K_M";
    case 13:
      return "Q3_K_L";
    case 14:
      return "Q4_K_S";
    case 15:
      return "Q4_K_M";
    case 16:
      return "Q5_K_S";
    case 17:
      return "Q5_K_M";
    case 18:
      return "Q6_K";
    case 21:
      return "Q2_K_S";
    case 25:
      return "IQ4_NL";
    case 30:
      return "IQ4_XS";
    case 32:
      return "BF16";
    default:
      return "";
  }
}

std::string_view NameOf(BnbKind kind) {
  return kind == BnbKind::kNf4 ? "nf4" : kind == BnbKind::kFp4 ? "fp4" : "int8";
}

bool IsTable(std::string_view name) {
  return name.find("embed") != name.npos || name.find("embd") != name.npos ||
         name.find("lm_head") != name.npos || name == "output.weight";
}

}  // namespace

std::string QuantizationLevel(const Checkpoint& checkpoint) {
  if (const GgufFile* gguf = checkpoint.gguf()) {
    const Result<int64_t> type = gguf->GetInt("general.file_type");
    if (type.ok()) {
      if (const std::string_view name = NameOfFileType(*type); !name.empty())
        return std::string(name);
    }
  }
  std::map<std::string_view, int64_t> all, packed;
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    const std::string_view name = tensor.bnb != nullptr ? NameOf(tensor.bnb->kind)
                                  : tensor.supported    ? FormatOf(tensor.dtype).name
                                                        : tensor.type_name;
    all[name] += tensor.NumElements();
    // Of bitsandbytes a matrix may also have a plain dtype, where its rows are no whole blocks.
    const bool blocks =
        tensor.bnb != nullptr || (tensor.supported && FormatOf(tensor.dtype).block_elems > 1);
    if (blocks && !IsTable(tensor.name)) packed[name] += tensor.NumElements();
  }
  const auto& counts = packed.empty() ? all : packed;
  const auto most =
      std::max_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == counts.end()) return "unknown";
  std::string level(most->first);
  std::transform(level.begin(), level.end(), level.begin(),
                 [](unsigned char c) { return std::toupper(c); });
  return level;
}

}  // namespace galen
