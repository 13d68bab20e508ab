// Plain struct of the attention of encoders (KernelTable::encoder_attention).
#pragma once

#include <cstdint>

namespace galen {

struct EncoderAttentionShape {
  int64_t num_heads = 0;  // H, of queries, keys and values alike
  int64_t head_dim = 0;   // D, even
  float scale = 1.0f;     // multiplies q.k
};

}  // namespace galen
