// A model that begins from chance: a folder with config.json and a tokenizer becomes a Hugging Face
// checkpoint.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/status.h"

namespace galen {

// Writes `directory` (at once or not at all): the companion files of `source` and model.safetensors
// in fp32, of any family whose weights Hugging Face keeps one by one, with the image part of Gemma
// 3 where config.json has a vision_config. A value depends on the seed, the number of its tensor
// and its place alone:
//   matrices of the text model   normal, deviation initializer_range (config.json; 0.02)
//   linear layers of the tower   uniform, Xavier: bound sqrt(6 / (in + out))
//   patch embedding              normal, deviation 1 / sqrt(in)
//   table of positions           normal, deviation 1 / sqrt(hidden_size)
//   projector                    normal, deviation 1 / sqrt(in)
//   norms multiply by 1, biases are 0
// which is what transformers 5.23 does (PreTrainedModel, SiglipPreTrainedModel), but for the
// projector: zeros there let no gradient through to the tower, and LeCun's truncation of the patch
// embedding is left out.
Status WriteRandomModel(const std::string& source, uint64_t seed, const std::string& directory);

// Fills `values` with a normal distribution of mean 0; value i depends on the key and i alone.
void FillNormal(uint64_t key, double deviation, std::span<float> values);

}  // namespace galen
