#include "models/causal_lm.h"

#include <algorithm>
#include <string>

namespace galen {
namespace {

std::string Number(int64_t n) { return std::to_string(n); }

Status CheckSpans(const ModelConfig& config, const Batch& batch) {
  const int64_t tokens = static_cast<int64_t>(batch.tokens.size());
  int64_t next = 0;
  for (const SequenceSpan& span : batch.spans) {
    if (span.begin != next || span.end <= span.begin || span.end > tokens) {
      return InvalidArgument("span [" + Number(span.begin) + ", " + Number(span.end) +
                             ") does not continue the batch of " + Number(tokens) +
                             " rows at row " + Number(next));
    }
    if ((span.kv == nullptr) != (batch.spans[0].kv == nullptr)) {
      return InvalidArgument("spans with and without pages in one batch");
    }
    if (span.position < 0 || (span.kv == nullptr && span.position != 0)) {
      return InvalidArgument("span position " + Number(span.position) +
                             (span.kv == nullptr ? " without a cache" : ""));
    }
    if (span.position + (span.end - span.begin) > config.max_position_embeddings) {
      return InvalidArgument("position " + Number(span.position + (span.end - span.begin) - 1) +
                             " lies beyond the model's context of " +
                             Number(config.max_position_embeddings) + " tokens");
    }
    next = span.end;
  }
  if (next != tokens) {
    return InvalidArgument("spans cover " + Number(next) + " of " + Number(tokens) + " rows");
  }
  return OkStatus();
}

Status CheckEmbeddings(const ModelConfig& config, const Batch& batch) {
  const int64_t tokens = static_cast<int64_t>(batch.tokens.size());
  int64_t next = 0;
  for (const RowSource& source : batch.embeddings) {
    if (source.values.cols() != config.hidden_size) {
      return InvalidArgument("embeddings of " + Number(source.values.cols()) +
                             " values a row, but hidden_size is " + Number(config.hidden_size));
    }
    if (source.count < 0 || source.first < 0 ||
        source.first + source.count > source.values.rows()) {
      return InvalidArgument("embeddings from row " + Number(source.first) + " on, " +
                             Number(source.count) + " of " + Number(source.values.rows()));
    }
    if (source.row < next || source.row + source.count > tokens) {
      return InvalidArgument("embeddings for rows [" + Number(source.row) + ", " +
                             Number(source.row + source.count) + ") of " + Number(tokens) +
                             ", after row " + Number(next));
    }
    next = source.row + source.count;
  }
  return OkStatus();
}

// No row looks beyond the last row of its own span.
Status CheckLookAhead(const Batch& batch) {
  if (batch.look_ahead == nullptr) return OkStatus();
  for (const SequenceSpan& span : batch.spans) {
    for (int64_t row = span.begin; row < span.end; ++row) {
      if (batch.look_ahead[row] < span.position + (span.end - span.begin)) continue;
      return InvalidArgument("row " + Number(row) + " looks ahead to position " +
                             Number(batch.look_ahead[row]) + ", beyond its span");
    }
  }
  return OkStatus();
}

}  // namespace

Status CheckBatch(const ModelConfig& config, const Batch& batch) {
  const int64_t tokens = static_cast<int64_t>(batch.tokens.size());
  if (tokens == 0) return InvalidArgument("the batch is empty");
  if (batch.positions.size() != batch.tokens.size()) {
    return InvalidArgument(Number(tokens) + " tokens, but " +
                           Number(static_cast<int64_t>(batch.positions.size())) + " positions");
  }
  for (const std::span<const int32_t> more : {batch.row_positions, batch.column_positions}) {
    if (batch.row_positions.empty() && batch.column_positions.empty()) break;
    if (more.size() != batch.tokens.size() || config.mrope_section.empty()) {
      return InvalidArgument(
          "positions of rows and columns that this model or batch does not have");
    }
  }
  for (const int32_t id : batch.tokens) {
    if (id < 0 || id >= config.vocab_size) {
      return InvalidArgument("token id " + Number(id) + " is outside the vocabulary of " +
                             Number(config.vocab_size));
    }
  }
  for (const int32_t row : batch.logit_rows) {
    if (row < 0 || row >= tokens) {
      return InvalidArgument("logits wanted of row " + Number(row) + " of " + Number(tokens));
    }
  }
  RETURN_IF_ERROR(CheckSpans(config, batch));
  RETURN_IF_ERROR(CheckEmbeddings(config, batch));
  return CheckLookAhead(batch);
}

}  // namespace galen
