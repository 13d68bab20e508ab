// CausalLM: parameters and one Forward that serves prefill, decode, training and evaluation. It
// holds no state between calls: positions, caches and masks come with the batch. Concurrent Forward
// calls are safe as long as each has its own ExecContext.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "models/model_config.h"
#include "models/param_spec.h"
#include "nn/lora.h"
#include "ops/exec_context.h"
#include "ops/ops.h"
#include "tensor/tensor.h"

namespace galen {

// The rows of one sequence inside a flat batch.
struct SequenceSpan {
  int64_t begin = 0;  // rows [begin, end) of the batch
  int64_t end = 0;
  int64_t position = 0;  // of row begin; the rows follow each other
  // [num_hidden_layers] pages of this sequence, room for all its rows made by the caller. Null: the
  // variable-length form, which sees the rows of the span only (position is then 0). All spans of a
  // batch have pages, or none has.
  const KvPages* kv = nullptr;
  // Adapters that serve the sequence, a bit each (AdapterRun); those that are not loaded do not
  // count.
  uint64_t adapters = kAllAdapters;
};

// One step over any number of sequences. Everything is borrowed for the time of the call.
struct Batch {
  std::span<const int32_t> tokens;     // [T], each 0 <= id < config().vocab_size
  std::span<const int32_t> positions;  // [T], for the rotary embedding
  // [T] where config().mrope_section is set and a token lies in an image: its row and column,
  // counted on from `positions`' number of the image. Both empty: they equal positions.
  std::span<const int32_t> row_positions;
  std::span<const int32_t> column_positions;
  std::span<const SequenceSpan> spans;  // cover [0, T) in order
  // Vectors that stand in for the embeddings of some rows (images): cols is hidden_size, ranges
  // ascend. They are taken as they are, without embedding_scale; the tokens of those rows are only
  // checked for range.
  std::span<const RowSource> embeddings;
  const int32_t* look_ahead = nullptr;  // null (causal), or [T] as in kernels/attention.h
  std::span<const int32_t> logit_rows;  // rows whose logits are wanted
  KvType kv_type = KvType::kBf16;       // of the pages
};

class CausalLM {
 public:
  explicit CausalLM(ModelConfig config) : config_(std::move(config)) {}
  virtual ~CausalLM() = default;
  CausalLM(const CausalLM&) = delete;
  CausalLM& operator=(const CausalLM&) = delete;

  // Logits [logit_rows.size(), vocab_size] in fp32, in ctx.arena. Empty logit_rows: an empty tensor
  // (the caches are filled). Temporaries of a layer are dropped at its end unless ctx.tape needs
  // them. A batch that breaks the rules above is a bug of the caller (GALEN_CHECK).
  virtual Tensor Forward(ExecContext& ctx, const Batch& batch) const = 0;
  // What the output head multiplies: the wanted rows after the last norm, [logit_rows.size(),
  // hidden_size]. On a tape each layer is one record (ops/block.h); the batch's arrays must then
  // stay until the tape has run.
  virtual Tensor Hidden(ExecContext& ctx, const Batch& batch) const = 0;
  // The output head, [vocab_size, hidden_size], without adapters.
  virtual const Weight& head() const = 0;

  // One row for each weight, in file order. The slots that the rows name belong to this model:
  // loaders fill them, optimisers read them.
  virtual std::vector<ParamSpec> Params() = 0;
  // Where adapters of the embedding table and of the output head go. A tied head has no weight of
  // its own.
  virtual EmbeddingLayer* embedding() = 0;
  virtual LinearLayer* output_head() = 0;

  const ModelConfig& config() const { return config_; }

 protected:
  const ModelConfig config_;
};

// What a batch must satisfy; InvalidArgument names the first offence. Forward checks the same with
// GALEN_CHECK.
Status CheckBatch(const ModelConfig& config, const Batch& batch);

// Upper bound of what one Forward takes from the arena in inference, scratch of the ops included.
// num_sequences: spans of a batch at most; 0: num_logit_rows. context: positions that occur at
// most; 0: max_position_embeddings.
int64_t ForwardArenaBytes(const ModelConfig& config, const KernelTable& kernels, int num_threads,
                          int64_t num_tokens, int64_t num_logit_rows, int64_t num_sequences = 0,
                          int64_t context = 0);

}  // namespace galen
