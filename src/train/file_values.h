// The values of a weight as Hugging Face's files keep them.
#pragma once

#include <vector>

#include "models/param_spec.h"

namespace galen {

// Of a weight that is dense fp32, row by row, in its slot: vectors less ParamSpec::hf_offset,
// matrices with ParamSpec::transposed as [cols, rows].
std::vector<float> ValuesInFiles(const ParamSpec& spec);

}  // namespace galen
