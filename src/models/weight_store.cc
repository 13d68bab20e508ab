#include "models/weight_store.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "formats/bitsandbytes.h"
#include "models/weight_fill.h"
#include "ops/round_up.h"

namespace galen {
namespace {

int64_t Elements(const ParamSpec& spec) { return spec.rows * std::max<int64_t>(spec.cols, 1); }

// How one weight is kept.
struct Placement {
  WeightLayout layout = WeightLayout::kRows;
  DType dtype = DType::kF32;
  int64_t bytes = 0;  // to allocate; 0: stays mapped
  bool gradient = false;
};

Placement Place(const ParamSource& source, WeightUse use, const KernelTable& kernels, bool gguf) {
  const ParamSpec& spec = *source.spec;
  Placement place;
  if (spec.is_vector() || use == WeightUse::kTrained) {
    place.bytes = Elements(spec) * static_cast<int64_t>(sizeof(float));
    place.gradient = use == WeightUse::kTrained;
    return place;
  }
  place.dtype = source.encode.value_or(source.tensor.dtype);
  if (use == WeightUse::kInference) {
    const bool plain = place.dtype == DType::kF32 || place.dtype == DType::kF16;
    if (source.round_to_bf16 && plain) place.dtype = DType::kBF16;
    place.layout = kernels.weight_layout;
    place.bytes = kernels.packed_bytes(place.dtype, spec.rows, spec.cols);
    return place;
  }
  if (source.tensor.bnb != nullptr || source.encode.has_value()) {
    place.bytes = spec.rows * RowBytes(place.dtype, spec.cols);
    return place;
  }
  // Plain types at odd addresses (safetensors aligns to nothing) and re-ordered rows need a copy.
  const bool plain = FormatOf(place.dtype).block_elems == 1;
  const bool odd = reinterpret_cast<uintptr_t>(source.tensor.bytes.data()) % 4 != 0;
  if ((plain && odd) || (gguf && spec.gguf_interleaved_heads > 0) || spec.transposed) {
    place.bytes = static_cast<int64_t>(source.tensor.bytes.size());
  }
  return place;
}

// About 256 KiB of source: small enough to balance, large enough to stream.
int64_t PieceRows(int64_t row_bytes) {
  constexpr int64_t kBytes = 256 << 10;
  return std::max<int64_t>(kBytes / std::max<int64_t>(row_bytes, 1) / 16 * 16, 16);
}

std::vector<WeightPiece> CutIntoPieces(std::span<const ParamSource> params,
                                       std::span<const Placement> places) {
  std::vector<WeightPiece> pieces;
  for (size_t i = 0; i < params.size(); ++i) {
    const ParamSpec& spec = *params[i].spec;
    if (places[i].bytes == 0) continue;
    const int64_t rows = spec.is_vector() ? 1 : spec.rows;
    const int64_t step = PieceRows(static_cast<int64_t>(params[i].tensor.bytes.size()) / rows);
    for (int64_t row = 0; row < rows; row += step) {
      pieces.push_back({i, row, std::min(row + step, rows)});
    }
  }
  return pieces;
}

void FillPiece(const ParamSource& source, const Placement& place, const KernelTable& kernels,
               bool gguf, int64_t row0, int64_t row1, uint8_t* dst, std::vector<uint8_t>* scratch) {
  const ParamSpec& spec = *source.spec;
  const TensorInfo& tensor = source.tensor;
  if (spec.is_vector()) {
    FillVector(spec, tensor, gguf, reinterpret_cast<float*>(dst));
    return;
  }
  int64_t row_bytes = RowBytes(tensor.dtype, spec.cols);
  const uint8_t* rows = TensorRows(tensor, spec.cols, row0, row1, scratch);
  if (spec.transposed) {
    scratch->resize(static_cast<size_t>((row1 - row0) * row_bytes));
    GatherColumns(tensor.bytes.data(), FormatOf(tensor.dtype).block_bytes, spec.rows, spec.cols,
                  row0, row1, scratch->data());
    rows = scratch->data();
  } else if (gguf && spec.gguf_interleaved_heads > 0) {
    scratch->resize(static_cast<size_t>((row1 - row0) * row_bytes));
    GatherHalfSplitRows(tensor.bytes.data(), row_bytes, spec.rows / spec.gguf_interleaved_heads,
                        row0, row1, scratch->data());
    rows = scratch->data();
  }
  if (!place.gradient && place.dtype != tensor.dtype) {
    const int64_t n = (row1 - row0) * spec.cols;
    std::vector<float> values(static_cast<size_t>(n));
    FormatOf(tensor.dtype).decode(rows, values.data(), n);
    row_bytes = RowBytes(place.dtype, spec.cols);  // rows may lie in scratch: they were decoded
    scratch->resize(static_cast<size_t>((row1 - row0) * row_bytes));
    const BlockFormat& to = FormatOf(place.dtype);
    for (int64_t row = 0; row < row1 - row0; ++row) {
      to.encode(values.data() + row * spec.cols, nullptr, scratch->data() + row * row_bytes,
                spec.cols / to.block_elems);
    }
    rows = scratch->data();
  }
  if (place.layout != WeightLayout::kRows) {
    // pack_rows wants the address of row 0 and reads rows [row0, row1) only.
    const auto row_zero =
        reinterpret_cast<uintptr_t>(rows) - static_cast<uintptr_t>(row0 * row_bytes);
    kernels.pack_rows(place.dtype, reinterpret_cast<const uint8_t*>(row_zero), spec.rows, spec.cols,
                      row0, row1, dst);
  } else if (!place.gradient) {
    std::memcpy(dst + row0 * row_bytes, rows, static_cast<size_t>((row1 - row0) * row_bytes));
  } else {
    const BlockFormat& format = FormatOf(tensor.dtype);
    format.decode(rows, reinterpret_cast<float*>(dst) + row0 * spec.cols,
                  (row1 - row0) * spec.cols / format.block_elems);
  }
}

// Lets the pages of rows [row0, row1) go.
void DropRows(const Checkpoint& checkpoint, const TensorInfo& tensor, int64_t rows, int64_t row0,
              int64_t row1) {
  const size_t row_bytes = tensor.bytes.size() / static_cast<size_t>(rows);
  TensorInfo part;
  part.bytes = tensor.bytes.subspan(static_cast<size_t>(row0) * row_bytes,
                                    static_cast<size_t>(row1 - row0) * row_bytes);
  checkpoint.DropPages(part);
}

}  // namespace

WeightPlan WeightStore::Plan(const Checkpoint& checkpoint, std::span<const ParamSource> params,
                             WeightUse use, const KernelTable& kernels) {
  const bool gguf = checkpoint.kind() == CheckpointKind::kGguf;
  WeightPlan plan;
  for (const ParamSource& source : params) {
    const Placement place = Place(source, use, kernels, gguf);
    (source.spec->is_vector() ? plan.vector_bytes : plan.matrix_bytes) += RoundUp(place.bytes, 64);
    if (place.gradient) plan.gradient_bytes += RoundUp(place.bytes, 64);
    if (place.bytes == 0) plan.mapped_bytes += static_cast<int64_t>(source.tensor.bytes.size());
  }
  return plan;
}

Result<WeightStore> WeightStore::Load(std::shared_ptr<const Checkpoint> checkpoint,
                                      std::span<const ParamSource> params, WeightUse use,
                                      const KernelTable& kernels, ThreadPool& pool) {
  const bool gguf = checkpoint->kind() == CheckpointKind::kGguf;
  const WeightPlan plan = Plan(*checkpoint, params, use, kernels);
  WeightStore store;
  ASSIGN_OR_RETURN(store.weights_,
                   PageBuffer::Allocate(plan.matrix_bytes + plan.vector_bytes, "weights"));
  ASSIGN_OR_RETURN(store.gradients_, PageBuffer::Allocate(plan.gradient_bytes, "gradients"));

  std::vector<Placement> places;
  std::vector<uint8_t*> addresses;
  int64_t offset = 0;
  int64_t gradient_offset = 0;
  for (const ParamSource& source : params) {
    const ParamSpec& spec = *source.spec;
    const Placement& place = places.emplace_back(Place(source, use, kernels, gguf));
    uint8_t* address = place.bytes == 0 ? const_cast<uint8_t*>(source.tensor.bytes.data())
                                        : store.weights_.data() + offset;
    float* gradient = nullptr;
    if (place.gradient) {
      gradient = reinterpret_cast<float*>(store.gradients_.data() + gradient_offset);
      gradient_offset += RoundUp(place.bytes, 64);
    }
    addresses.push_back(address);
    offset += RoundUp(place.bytes, 64);
    if (spec.is_vector()) {
      *spec.vector = {reinterpret_cast<const float*>(address), spec.rows, gradient};
    } else {
      *spec.matrix = {{address, place.dtype, place.layout, spec.rows, spec.cols}, gradient};
    }
  }

  const std::vector<WeightPiece> pieces = CutIntoPieces(params, places);
  // One piece at a time, in file order, so that a disk reads forward.
  WorkQueue queue(static_cast<int64_t>(pieces.size()), 1);
  pool.Run([&](int) {
    std::vector<uint8_t> scratch;
    for (int64_t i, end; queue.Next(&i, &end);) {
      const WeightPiece& piece = pieces[i];
      const ParamSource& source = params[piece.param];
      FillPiece(source, places[piece.param], kernels, gguf, piece.row0, piece.row1,
                addresses[piece.param], &scratch);
      // Re-ordered rows come from all over a head, transposed ones from the whole: their pages stay
      // until all is done.
      const bool scattered =
          source.spec->transposed || (gguf && source.spec->gguf_interleaved_heads > 0);
      if (use == WeightUse::kInference && !scattered) {
        DropRows(*checkpoint, source.tensor, source.spec->is_vector() ? 1 : source.spec->rows,
                 piece.row0, piece.row1);
      }
    }
  });
  if (use == WeightUse::kInference) {
    for (const ParamSource& source : params) checkpoint->DropPages(source.tensor);
  }
  store.checkpoint_ = std::move(checkpoint);
  return store;
}

}  // namespace galen
