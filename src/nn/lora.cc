#include "nn/lora.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "nn/layers.h"
#include "ops/lora_ops.h"
#include "ops/ops.h"

namespace galen {
namespace {

constexpr size_t kMaxShared = kMaxSharedWeights;

bool Serves(const LoraTerm& term, uint64_t adapters) { return (adapters >> term.adapter & 1) != 0; }

// A layer as the adapters of one run make it.
struct Adapted {
  const Weight* weight = nullptr;
  const VectorParam* bias = nullptr;
  bool replaced = false;               // weight is an adapter's
  bool late_bias = false;              // the bias is added behind the terms: DoRA does not scale it
  std::vector<const LoraTerm*> terms;  // with a low-rank part
};

Adapted Resolve(const LinearLayer& layer, uint64_t adapters) {
  Adapted adapted{&layer.weight, &layer.bias, false, false, {}};
  if (layer.lora == nullptr) return adapted;
  for (const LoraTerm& term : layer.lora->terms) {
    if (!Serves(term, adapters)) continue;
    if (term.weight.view.data != nullptr) {
      adapted.weight = &term.weight;
      adapted.replaced = true;
    }
    if (term.bias.data != nullptr) adapted.bias = &term.bias;
    if (term.a.view.data != nullptr) adapted.terms.push_back(&term);
    adapted.late_bias = adapted.late_bias || term.magnitude.data != nullptr;
  }
  return adapted;
}

// Several products of x, any number of them.
void ProductsOf(ExecContext& ctx, const LinearInput& x, std::span<const Weight* const> weights,
                std::span<const VectorParam* const> biases, std::span<Tensor> outputs) {
  for (size_t at = 0; at < weights.size(); at += kMaxShared) {
    const size_t n = std::min(kMaxShared, weights.size() - at);
    Linears(ctx, x, weights.subspan(at, n), biases.subspan(at, n), outputs.subspan(at, n));
  }
}

const float* NormsOf(ExecContext& ctx, const Weight& weight, const LoraTerm& term) {
  if (term.norms != nullptr) return term.norms;
  float* norms = ctx.arena->NewTensor({weight.view.rows}).f32();
  LowRankRowNorms(ctx, weight, term.a, term.b, term.scaling, norms);
  return norms;
}

void AddBias(ExecContext& ctx, const VectorParam& bias, const Tensor& y) {
  for (int64_t i = 0; i < y.rows(); ++i) {
    ctx.kernels->add(y.row(i), bias.data, y.cols(), y.row(i));
  }
}

// The terms on top of y, the product with the layer's weight; inner[i] is a x of term i. Without a
// tape y is changed in place.
Tensor AddTerms(ExecContext& ctx, const Adapted& adapted, std::span<const Tensor> inner, Tensor y) {
  bool bias_due = adapted.late_bias && adapted.bias->data != nullptr;
  for (size_t i = 0; i < adapted.terms.size(); ++i) {
    const LoraTerm& term = *adapted.terms[i];
    AddScaledLinear(ctx, inner[i], term.b, term.b_bias.data == nullptr ? nullptr : &term.b_bias,
                    term.scaling, y);
    if (term.magnitude.data == nullptr) continue;
    const bool last = i + 1 == adapted.terms.size();
    y = ScaleColumns(ctx, y, term.magnitude, NormsOf(ctx, *adapted.weight, term),
                     last && bias_due ? adapted.bias : nullptr);
    bias_due = bias_due && !last;
  }
  if (!bias_due) return y;
  if (ctx.tape != nullptr) return AddRows(ctx, y, *adapted.bias);
  AddBias(ctx, *adapted.bias, y);
  return y;
}

// All rows have the same adapters: one pass over x for the layers and the first halves of the
// terms.
void ProjectRun(ExecContext& ctx, std::span<const LinearLayer* const> layers, uint64_t adapters,
                const LinearInput& input, std::span<Tensor> outputs) {
  std::vector<Adapted> adapted;
  std::vector<const Weight*> weights;
  std::vector<const VectorParam*> biases;
  for (const LinearLayer* layer : layers) {
    const Adapted& a = adapted.emplace_back(Resolve(*layer, adapters));
    weights.push_back(a.weight);
    biases.push_back(a.late_bias ? nullptr : a.bias);
  }
  const size_t own = weights.size();
  const auto drops = [&](const LoraTerm& term) { return ctx.dropout_key != 0 && term.dropout > 0; };
  // Terms of layers that one module holds (fused q, k, v) have the same a: it is multiplied once.
  std::vector<const LoraTerm*> firsts;
  const auto first_of = [&](const LoraTerm& term) {
    return std::find_if(firsts.begin(), firsts.end(),
                        [&](const LoraTerm* f) {
                          return f->a.view.data == term.a.view.data &&
                                 f->dropout_stream == term.dropout_stream;
                        }) -
           firsts.begin();
  };
  for (const Adapted& a : adapted) {
    for (const LoraTerm* term : a.terms) {
      if (first_of(*term) < std::ssize(firsts)) continue;
      firsts.push_back(term);
      if (!drops(*term)) weights.push_back(&term->a);
    }
  }
  biases.resize(weights.size(), nullptr);
  std::vector<Tensor> products(weights.size());
  // What dropout thins is a tensor, and one that is made again serves a single call of Linears.
  const bool dropped =
      std::any_of(firsts.begin(), firsts.end(), [&](const LoraTerm* term) { return drops(*term); });
  const LinearInput x =
      dropped || weights.size() > kMaxShared ? LinearInput(input.Whole(ctx)) : input;
  ProductsOf(ctx, x, weights, biases, products);
  std::vector<Tensor> first_halves;
  size_t shared = own;
  for (const LoraTerm* term : firsts) {
    first_halves.push_back(
        drops(*term)
            ? Linear(ctx, Dropout(ctx, x.tensor(), term->dropout, term->dropout_stream), term->a)
            : products[shared++]);
  }
  // a x of every term, in their order.
  std::vector<Tensor> halves;
  for (const Adapted& a : adapted) {
    for (const LoraTerm* term : a.terms) {
      halves.push_back(first_halves[static_cast<size_t>(first_of(*term))]);
    }
  }
  std::span<const Tensor> inner = halves;
  for (size_t i = 0; i < layers.size(); ++i) {
    outputs[i] = AddTerms(ctx, adapted[i], inner.first(adapted[i].terms.size()), products[i]);
    inner = inner.subspan(adapted[i].terms.size());
  }
}

// Inference with different adapters for different rows: the layers' own weights are read once for
// all rows.
void ProjectRuns(ExecContext& ctx, std::span<const LinearLayer* const> layers, const Tensor& x,
                 std::span<Tensor> outputs) {
  GALEN_CHECK(ctx.tape == nullptr && ctx.adapter_runs.back().end == x.rows());
  std::vector<const Weight*> weights;
  std::vector<const VectorParam*> biases;
  std::vector<uint8_t> own_bias(layers.size(), 1);  // all rows get the layer's bias, and at once
  for (size_t i = 0; i < layers.size(); ++i) {
    for (const AdapterRun& run : ctx.adapter_runs) {
      const Adapted a = Resolve(*layers[i], run.adapters);
      if (a.late_bias || a.bias != &layers[i]->bias) own_bias[i] = 0;
    }
    weights.push_back(&layers[i]->weight);
    biases.push_back(own_bias[i] != 0 ? &layers[i]->bias : nullptr);
  }
  ProductsOf(ctx, x, weights, biases, outputs);
  for (const AdapterRun& run : ctx.adapter_runs) {
    const int64_t n = run.end - run.begin;
    if (n == 0) continue;
    const Tensor rows = x.Rows(run.begin, n);
    for (size_t i = 0; i < layers.size(); ++i) {
      const Adapted a = Resolve(*layers[i], run.adapters);
      const Tensor y = outputs[i].Rows(run.begin, n);
      if (a.replaced) {
        const Tensor own = Linear(ctx, rows, *a.weight, a.late_bias ? nullptr : a.bias);
        std::memcpy(y.data, own.data, static_cast<size_t>(y.num_elements()) * sizeof(float));
      } else if (own_bias[i] == 0 && !a.late_bias && a.bias->data != nullptr) {
        AddBias(ctx, *a.bias, y);
      }
      std::vector<const Weight*> first;
      for (const LoraTerm* term : a.terms) first.push_back(&term->a);
      const std::vector<const VectorParam*> none(first.size(), nullptr);
      std::vector<Tensor> inner(first.size());
      ProductsOf(ctx, rows, first, none, inner);
      AddTerms(ctx, a, inner, y);
    }
  }
}

Tensor EmbedRun(ExecContext& ctx, const EmbeddingLayer& layer, uint64_t adapters,
                std::span<const int32_t> ids, float scale) {
  const Weight* table = &layer.table;
  for (const LoraTerm& term : layer.lora->terms) {
    if (Serves(term, adapters) && term.weight.view.data != nullptr) table = &term.weight;
  }
  const Tensor y = Embedding(ctx, *table, ids, scale);
  for (const LoraTerm& term : layer.lora->terms) {
    if (!Serves(term, adapters) || term.a.view.data == nullptr) continue;
    AddScaledLinear(ctx, Embedding(ctx, term.a, ids, 1.0f), term.b, nullptr, term.scaling * scale,
                    y);
  }
  return y;
}

}  // namespace

void ProjectAdapted(ExecContext& ctx, std::span<const LinearLayer* const> layers,
                    const LinearInput& x, std::span<Tensor> outputs) {
  GALEN_CHECK(layers.size() == outputs.size());
  const std::span<const AdapterRun> runs = ctx.adapter_runs;
  if (runs.size() > 1) return ProjectRuns(ctx, layers, x.Whole(ctx), outputs);
  ProjectRun(ctx, layers, runs.empty() ? kAllAdapters : runs[0].adapters, x, outputs);
}

Tensor EmbedRows(ExecContext& ctx, const EmbeddingLayer& layer, std::span<const int32_t> ids,
                 float scale) {
  const std::span<const AdapterRun> runs = ctx.adapter_runs;
  if (layer.lora == nullptr) return Embedding(ctx, layer.table, ids, scale);
  if (runs.size() <= 1) {
    return EmbedRun(ctx, layer, runs.empty() ? kAllAdapters : runs[0].adapters, ids, scale);
  }
  GALEN_CHECK(ctx.tape == nullptr && runs.back().end == static_cast<int64_t>(ids.size()));
  const int64_t cols = layer.table.view.cols;
  const Tensor all = ctx.arena->NewTensor({static_cast<int64_t>(ids.size()), cols});
  for (const AdapterRun& run : runs) {
    const auto part =
        ids.subspan(static_cast<size_t>(run.begin), static_cast<size_t>(run.end - run.begin));
    const Tensor y = EmbedRun(ctx, layer, run.adapters, part, scale);
    std::memcpy(all.row(run.begin), y.data, static_cast<size_t>(y.num_elements()) * sizeof(float));
  }
  return all;
}

}  // namespace galen
