// Encoder layers for Compute::kInt8: the matrices as q8_0, 8 bits a value and a scale for each 32,
// and activations rounded per row and block of 32 as they are multiplied. Attention stays bf16.
#pragma once

#include <span>

#include "nn/encoder.h"
#include "tensor/arena.h"

namespace galen {

// Features that a normalisation makes much larger than the others (real towers have some that are
// 50 times as large) would take the precision of their block. Before rounding, feature j of the
// normalised input is divided by s_j = sqrt(size of the feature / largest weight of column j), and
// the column multiplied by it, which leaves the product as it was (SmoothQuant, arXiv:2211.10438,
// with strength 1/2); the size is read off the normalisation's own parameters, 3 |w_j| + |b_j|.
//
// Rewrites the layers' normalisations and matrices (any format, any layout; q8_0 in the layout of
// the kernels) in memory that is returned and must outlive them. Columns are padded with zeros to
// whole blocks, which EncoderBlock expects. ResourceExhausted when memory cannot be reserved.
Result<PageBuffer> QuantizeLayers(std::span<EncoderLayer> layers, const KernelTable& kernels,
                                  ThreadPool& pool);
// Upper bound of what that reserves for one layer.
int64_t QuantizedLayerBytes(int64_t hidden, int64_t intermediate, const KernelTable& kernels);

}  // namespace galen
