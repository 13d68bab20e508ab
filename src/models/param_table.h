// Builds the ParamSpec rows of a model, one call for each weight.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/param_spec.h"
#include "nn/layers.h"

namespace galen {

class ParamTable {
 public:
  // What names of layers begin with in the two kinds of files.
  explicit ParamTable(std::string hf_layers = "layers.", std::string gguf_layers = "blk.")
      : hf_layers_(std::move(hf_layers)), gguf_layers_(std::move(gguf_layers)) {}

  // Later rows belong to this layer: "layers.N." goes before the Hugging Face name, "blk.N." before
  // the GGUF name.
  void BeginLayer(int64_t layer) {
    hf_prefix_ = hf_layers_ + std::to_string(layer) + ".";
    gguf_prefix_ = gguf_layers_ + std::to_string(layer) + ".";
  }
  void EndLayers() { hf_prefix_ = gguf_prefix_ = ""; }

  ParamSpec& Matrix(std::string_view name, std::string_view gguf_name, int64_t rows, int64_t cols,
                    Weight* slot) {
    ParamSpec& spec = Row(name, gguf_name, rows, cols);
    spec.matrix = slot;
    return spec;
  }
  // The weight of a linear layer.
  ParamSpec& Matrix(std::string_view name, std::string_view gguf_name, int64_t rows, int64_t cols,
                    LinearLayer* layer) {
    ParamSpec& spec = Matrix(name, gguf_name, rows, cols, &layer->weight);
    spec.layer = layer;
    return spec;
  }
  ParamSpec& Vector(std::string_view name, std::string_view gguf_name, int64_t size,
                    VectorParam* slot) {
    ParamSpec& spec = Row(name, gguf_name, size, 0);
    spec.vector = slot;
    return spec;
  }

  // NAME.weight [rows, cols] and NAME.bias [rows].
  void Linear(const std::string& name, const std::string& gguf_name, int64_t rows, int64_t cols,
              LinearLayer* layer) {
    Matrix(name + ".weight", gguf_name + ".weight", rows, cols, layer);
    Vector(name + ".bias", gguf_name + ".bias", rows, &layer->bias);
  }

  std::vector<ParamSpec> Take() { return std::move(rows_); }

 private:
  ParamSpec& Row(std::string_view name, std::string_view gguf_name, int64_t rows, int64_t cols) {
    ParamSpec& spec = rows_.emplace_back();
    spec.name = hf_prefix_ + std::string(name);
    spec.gguf_name = gguf_prefix_ + std::string(gguf_name);
    spec.rows = rows;
    spec.cols = cols;
    return spec;
  }

  std::string hf_layers_;
  std::string gguf_layers_;
  std::string hf_prefix_;
  std::string gguf_prefix_;
  std::vector<ParamSpec> rows_;
};

}  // namespace galen
