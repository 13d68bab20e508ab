#include "quantize/output_tensor.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numeric>

#include "base/json.h"
#include "formats/bitsandbytes.h"
#include "tensor/formats/bnb_int8.h"

namespace galen {
namespace {

constexpr int64_t kPieceElements = 1 << 20;  // written at once
constexpr int64_t kTileElements = 1 << 15;   // converted at once: 128 KiB of floats

std::span<const uint8_t> BytesOf(const void* data, int64_t bytes) {
  return {static_cast<const uint8_t*>(data), static_cast<size_t>(bytes)};
}

// What the pieces of one tensor have in common.
struct Shared {
  std::mutex mutex;
  TensorError error;
  std::vector<float> absmax;  // nested statistics: of all blocks
  std::atomic<int64_t> pieces_left{0};
};

struct Piece {
  size_t tensor;
  int64_t row0;  // kCopy: bytes
  int64_t row1;
};

// Rows of a tile so that it ends with a block.
int64_t RowUnit(const OutputTensor& t) {
  return t.kind == OutputKind::kBnb4 ? t.blocksize / std::gcd(t.blocksize, t.cols) : 1;
}

int64_t RowsFor(const OutputTensor& t, int64_t elements) {
  const int64_t unit = RowUnit(t);
  return std::max(elements / std::max<int64_t>(t.cols, 1) / unit * unit, unit);
}

// A worker's buffers and arithmetic.
class Worker {
 public:
  Status Do(const OutputTensor& t, const Piece& piece, Shared* shared) {
    if (t.kind == OutputKind::kCopy) {
      return t.file->WriteAt(t.at + piece.row0,
                             t.source.bytes.subspan(static_cast<size_t>(piece.row0),
                                                    static_cast<size_t>(piece.row1 - piece.row0)));
    }
    const int64_t begin = piece.row0 * t.cols, end = piece.row1 * t.cols;
    TensorError error;
    const int64_t step = RowsFor(t, kTileElements);
    values_.resize(static_cast<size_t>(std::min(step, piece.row1 - piece.row0) * t.cols));
    decoded_.resize(values_.size());
    out_.resize(static_cast<size_t>(OutBytes(t, end - begin)));
    scales_.resize(static_cast<size_t>(t.kind == OutputKind::kBnb4
                                           ? (end - begin + t.blocksize - 1) / t.blocksize
                                           : piece.row1 - piece.row0));
    for (int64_t row = piece.row0; row < piece.row1; row += step) {
      const int64_t rows = std::min(step, piece.row1 - row);
      Read(t, row, row + rows);
      Encode(t, (row - piece.row0) * t.cols, rows);
      AddError(rows * t.cols, &error);
    }
    RETURN_IF_ERROR(Write(t, piece, shared));
    const std::lock_guard<std::mutex> lock(shared->mutex);
    shared->error.squares += error.squares;
    shared->error.source_squares += error.source_squares;
    shared->error.largest = std::max(shared->error.largest, error.largest);
    return OkStatus();
  }

 private:
  static int64_t OutBytes(const OutputTensor& t, int64_t elements) {
    if (t.kind == OutputKind::kBnb4) return (elements + 1) / 2;
    if (t.kind == OutputKind::kBnbInt8) return elements;
    return RowBytes(t.dtype, elements);
  }

  void Read(const OutputTensor& t, int64_t row0, int64_t row1) {
    const BlockFormat& format = FormatOf(t.source.dtype);
    const int64_t blocks = t.cols / format.block_elems;
    if (t.interleaved_heads == 0) {
      const uint8_t* rows = TensorRows(t.source, t.cols, row0, row1, &scratch_);
      format.decode(rows, values_.data(), (row1 - row0) * blocks);
    } else {
      const int64_t head_dim = t.rows / t.interleaved_heads, half = head_dim / 2;
      for (int64_t row = row0; row < row1; ++row) {
        const int64_t i = row % head_dim;
        const int64_t from = row / head_dim * head_dim + i % 2 * half + i / 2;
        const uint8_t* bytes = TensorRows(t.source, t.cols, from, from + 1, &scratch_);
        format.decode(bytes, values_.data() + (row - row0) * t.cols, blocks);
      }
    }
    if (t.offset != 0.0f) {
      for (int64_t i = 0; i < (row1 - row0) * t.cols; ++i) values_[i] += t.offset;
    }
  }

  // values_ to out_ from element `first` on, and back to decoded_.
  void Encode(const OutputTensor& t, int64_t first, int64_t rows) {
    const int64_t n = rows * t.cols;
    if (t.kind == OutputKind::kBnb4) {
      uint8_t* codes = out_.data() + first / 2;
      float* absmax = scales_.data() + first / t.blocksize;
      EncodeBnb4(Bnb4Type::kNf4, values_.data(), n, t.blocksize, codes, absmax);
      for (int64_t i = 0; i < n; i += t.blocksize) {
        const float scale = absmax[i / t.blocksize];
        for (int64_t k = i; k < std::min(n, i + t.blocksize); ++k) {
          const int byte = codes[k / 2];
          decoded_[k] = kNf4Values[k % 2 == 0 ? byte >> 4 : byte & 15] * scale;
        }
      }
      return;
    }
    if (t.kind == OutputKind::kBnbInt8) {
      auto* codes = reinterpret_cast<int8_t*>(out_.data()) + first;
      for (int64_t row = 0; row < rows; ++row) {
        float* scb = scales_.data() + first / t.cols + row;
        int8_t* q = codes + row * t.cols;
        EncodeBnbInt8Row(values_.data() + row * t.cols, t.cols, q, scb);
        for (int64_t i = 0; i < t.cols; ++i) {
          decoded_[row * t.cols + i] = static_cast<float>(q[i]) * *scb * kBnbInt8Step;
        }
      }
      return;
    }
    const BlockFormat& format = FormatOf(t.dtype);
    uint8_t* blocks = out_.data() + RowBytes(t.dtype, first);
    for (int64_t row = 0; row < rows; ++row) {
      const float* importance = t.importance.empty() ? nullptr : t.importance.data();
      format.encode(values_.data() + row * t.cols, importance,
                    blocks + RowBytes(t.dtype, row * t.cols), t.cols / format.block_elems);
    }
    format.decode(blocks, decoded_.data(), n / format.block_elems);
  }

  void AddError(int64_t n, TensorError* error) const {
    constexpr int kLanes = 16;
    float squares[kLanes] = {}, source[kLanes] = {}, largest[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (int j = 0; j < kLanes; ++j) {
        const float d = std::fabs(values_[i + j] - decoded_[i + j]);
        squares[j] += d * d;
        source[j] += values_[i + j] * values_[i + j];
        largest[j] = largest[j] < d ? d : largest[j];
      }
    }
    for (; i < n; ++i) {
      const float d = std::fabs(values_[i] - decoded_[i]);
      squares[0] += d * d;
      source[0] += values_[i] * values_[i];
      largest[0] = std::max(largest[0], d);
    }
    for (int j = 0; j < kLanes; ++j) {
      error->squares += squares[j];
      error->source_squares += source[j];
      error->largest = std::max<double>(error->largest, largest[j]);
    }
  }

  Status Write(const OutputTensor& t, const Piece& piece, Shared* shared) {
    const int64_t begin = piece.row0 * t.cols;
    RETURN_IF_ERROR(t.file->WriteAt(t.at + OutBytes(t, begin), out_));
    if (t.kind == OutputKind::kBlocks) return OkStatus();
    const int64_t first = t.kind == OutputKind::kBnb4 ? begin / t.blocksize : piece.row0;
    if (!t.nested) {
      return t.file->WriteAt(t.absmax_at + 4 * first,
                             BytesOf(scales_.data(), static_cast<int64_t>(4 * scales_.size())));
    }
    const std::lock_guard<std::mutex> lock(shared->mutex);
    if (shared->absmax.empty()) {
      shared->absmax.resize(static_cast<size_t>((t.elements() + t.blocksize - 1) / t.blocksize));
    }
    std::copy(scales_.begin(), scales_.end(), shared->absmax.begin() + first);
    return OkStatus();
  }

  std::vector<float> values_, decoded_, scales_;
  std::vector<uint8_t> out_, scratch_;
};

const char* StateType(DType dtype) {
  return dtype == DType::kBF16 ? "bfloat16" : dtype == DType::kF16 ? "float16" : "float32";
}

// The last pieces of a 4-bit matrix: nested statistics and the state. `absmax` is let go.
Status FinishBnb4(const OutputTensor& t, std::vector<float>* absmax) {
  std::string json = R"({"quant_type": "nf4", "blocksize": )" + std::to_string(t.blocksize) +
                     R"(, "dtype": ")" + StateType(t.source.dtype) + R"(", "shape": [)" +
                     std::to_string(t.rows) + ", " + std::to_string(t.cols) + "]";
  if (t.nested) {
    double sum = 0;
    for (float scale : *absmax) sum += scale;
    const auto n = static_cast<int64_t>(absmax->size());
    const auto offset = static_cast<float>(sum / static_cast<double>(n));
    for (float& scale : *absmax) scale -= offset;
    std::vector<uint8_t> codes(absmax->size());
    std::vector<float> outer(static_cast<size_t>((n + 255) / 256));
    EncodeBnbDynamic(absmax->data(), n, codes.data(), outer.data());
    RETURN_IF_ERROR(t.file->WriteAt(t.absmax_at, codes));
    RETURN_IF_ERROR(t.file->WriteAt(t.nested_absmax_at,
                                    BytesOf(outer.data(), static_cast<int64_t>(4 * outer.size()))));
    json += R"(, "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": )" +
            Json(static_cast<double>(offset)).dump();
    std::vector<float>().swap(*absmax);
  }
  json += "}";
  GALEN_CHECK(static_cast<int64_t>(json.size()) <= kBnbStateBytes);
  json.resize(kBnbStateBytes, ' ');
  return t.file->WriteAt(t.state_at, BytesOf(json.data(), kBnbStateBytes));
}

std::vector<Piece> CutIntoPieces(std::span<const OutputTensor> tensors) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const OutputTensor& t = tensors[i];
    const bool copy = t.kind == OutputKind::kCopy;
    const int64_t rows = copy ? static_cast<int64_t>(t.source.bytes.size()) : t.rows;
    const int64_t step = copy ? 4 * kPieceElements : RowsFor(t, kPieceElements);
    for (int64_t row = 0; row < rows; row += step) {
      pieces.push_back({i, row, std::min(rows, row + step)});
    }
  }
  return pieces;
}

// The part of the source that a piece read.
void DropPiece(const Checkpoint& source, const OutputTensor& t, const Piece& piece) {
  if (t.interleaved_heads > 0) return;
  const int64_t rows =
      t.kind == OutputKind::kCopy ? static_cast<int64_t>(t.source.bytes.size()) : t.rows;
  const double per_row =
      static_cast<double>(t.source.bytes.size()) / static_cast<double>(std::max<int64_t>(rows, 1));
  TensorInfo part;
  const auto begin = static_cast<size_t>(per_row * static_cast<double>(piece.row0));
  const auto end = std::min(t.source.bytes.size(),
                            static_cast<size_t>(per_row * static_cast<double>(piece.row1)));
  part.bytes = t.source.bytes.subspan(begin, end - begin);
  source.DropPages(part);
}

}  // namespace

double TensorError::relative_rms() const {
  return source_squares > 0 ? std::sqrt(squares / source_squares) : 0.0;
}

Status WriteTensors(const Checkpoint& source, std::span<const OutputTensor> tensors,
                    ThreadPool& pool, const std::function<void(int64_t)>& progress,
                    std::vector<TensorError>* errors) {
  const std::vector<Piece> pieces = CutIntoPieces(tensors);
  std::vector<std::unique_ptr<Shared>> shared;
  for (size_t i = 0; i < tensors.size(); ++i) shared.push_back(std::make_unique<Shared>());
  for (const Piece& piece : pieces) ++shared[piece.tensor]->pieces_left;

  WorkQueue queue(static_cast<int64_t>(pieces.size()), 1);
  std::mutex mutex;
  Status failure;
  std::atomic<bool> failed{false};
  std::atomic<int64_t> done{0};
  pool.Run([&](int index) {
    Worker worker;
    for (int64_t i, end; !failed && queue.Next(&i, &end);) {
      const Piece& piece = pieces[i];
      const OutputTensor& t = tensors[piece.tensor];
      Shared* common = shared[piece.tensor].get();
      Status status = worker.Do(t, piece, common);
      if (common->pieces_left.fetch_sub(1) == 1 && status.ok() && t.kind == OutputKind::kBnb4) {
        status = FinishBnb4(t, &common->absmax);
      }
      DropPiece(source, t, piece);
      done += (piece.row1 - piece.row0) * (t.kind == OutputKind::kCopy ? 1 : t.cols);
      if (!status.ok()) {
        const std::lock_guard<std::mutex> lock(mutex);
        if (failure.ok()) failure = status;
        failed = true;
      }
      if (index == 0 && progress) progress(done.exchange(0));
    }
  });
  RETURN_IF_ERROR(failure);
  for (const OutputTensor& t : tensors) source.DropPages(t.source);
  if (progress) progress(done.exchange(0));
  errors->clear();
  for (const auto& common : shared) errors->push_back(common->error);
  return OkStatus();
}

}  // namespace galen
