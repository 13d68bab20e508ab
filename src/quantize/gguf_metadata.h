// What a GGUF file says of a model that comes from a Hugging Face directory. For this folder alone.
#pragma once

#include "formats/gguf_writer.h"
#include "models/open_model.h"

namespace galen {

// general.* and the architecture's hyper-parameters. Unsupported: a family or a setting that
// llama.cpp has no words for.
Status SetGgufMetadata(const ModelFiles& files, GgufWriter* writer);

// rope_freqs.weight, [head_dim / 2]: what stands for llama3 scaling in GGUF files; else empty.
std::vector<float> RopeFreqs(const ModelConfig& config);

// tokenizer.*: vocabulary, merges or scores, special tokens, chat template, from tokenizer.json.
Status SetGgufTokenizer(const ModelFiles& files, GgufWriter* writer);

}  // namespace galen
