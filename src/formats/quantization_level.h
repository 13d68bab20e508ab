// How the weights of a checkpoint are stored, in the word that people know models by.
#pragma once

#include <string>

#include "formats/checkpoint.h"

namespace galen {

// "Q4_K_M", "NF4", "BF16": of a GGUF file what its general.file_type says; else the type of most
// weights, embedding table and output head not counted where the others are in blocks of fewer
// bits. "unknown": there is no tensor.
std::string QuantizationLevel(const Checkpoint& checkpoint);

}  // namespace galen
