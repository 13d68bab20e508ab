// Tensor names of the image part of a checkpoint, brought to one spelling per container.
#pragma once

#include <string>
#include <string_view>

#include "formats/checkpoint.h"

namespace galen {

// Hugging Face: "[model.]vision_tower.[vision_model.]X" becomes "vision_tower.X" and
// "[model.]multi_modal_projector.X" "multi_modal_projector.X": transformers 5 dropped the inner
// level, 4.x and the published checkpoints have it. Qwen2.5-VL's "[model.]visual.blocks.X" becomes
// "vision_tower.encoder.layers.X", and "[model.]visual.X" "vision_tower.X". GGUF: llama.cpp's names
// ("v.blk.0.ln1.weight", "mm.soft_emb_norm.weight") stay, Ollama's ("v.blk.0.layer_norm1.weight",
// "mm.mm_soft_emb_norm.weight") become llama.cpp's. Empty: the tensor belongs to no image part.
std::string CanonicalVisionName(CheckpointKind kind, std::string_view name);

// The attribute path in transformers' model of what has that name: "model.vision_tower.encoder...",
// "model.visual.blocks..." (visual: of Qwen2.5-VL), "model.multi_modal_projector...". "": it is no
// name of the image part.
std::string TransformersVisionName(bool visual, std::string_view canonical);

}  // namespace galen
