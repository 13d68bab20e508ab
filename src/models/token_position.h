// By what the rotary embedding turns the tokens of a sequence with images. Text counts on by one in
// all three numbers; an image whose tokens have rows and columns (Qwen2.5-VL) stands still in time,
// and what follows it goes on at the larger of its sides (transformers 5.23,
// Qwen2_5_VLModel.get_rope_index).
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

namespace galen {

struct RotaryPosition {
  int32_t time = 0;
  int32_t row = 0;
  int32_t column = 0;
};

// The tokens of an image: [begin, begin + count) of the sequence, row by row. rows 0: they count on
// like text.
struct TokenBlock {
  int64_t begin = 0;
  int64_t count = 0;
  int64_t rows = 0;
  int64_t columns = 0;
};

// Of token t. images: of the sequence, ascending; block_of(image): its TokenBlock.
template <typename Image, typename BlockOf>
RotaryPosition PositionAmong(std::span<const Image> images, int64_t t, const BlockOf& block_of) {
  int64_t shift = 0;  // of text, against its index
  for (const Image& image : images) {
    const TokenBlock block = block_of(image);
    if (t < block.begin) break;
    if (block.rows == 0) continue;
    const int64_t first = block.begin + shift;
    if (t < block.begin + block.count) {
      const int64_t i = t - block.begin;
      return {static_cast<int32_t>(first), static_cast<int32_t>(first + i / block.columns),
              static_cast<int32_t>(first + i % block.columns)};
    }
    shift += std::max(block.rows, block.columns) - block.count;
  }
  const auto position = static_cast<int32_t>(t + shift);
  return {position, position, position};
}

}  // namespace galen
