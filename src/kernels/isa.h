// Which instruction sets this machine has, and which one galen computes with.
#pragma once

#include <string_view>
#include <vector>

#include "base/status.h"

namespace galen {

// In ascending order of preference. kAmx implies everything before it.
enum class Isa { kRef, kAvx2, kAvx512, kAvx512Bf16, kAmx };

std::string_view IsaName(Isa isa);  // "ref", "avx2", "avx512", "avx512_bf16", "amx"
std::vector<Isa> SupportedIsas();   // by this machine and this build, ascending; always holds kRef
// The environment variable GALEN_ISA if set (an error if unknown or not supported here), else the
// best supported one.
Result<Isa> ChooseIsa();

}  // namespace galen
