// A small fixed-width font, so that drawing needs no font of the system and is the same everywhere.
#pragma once

#include <array>
#include <cstdint>

namespace galen {

inline constexpr int64_t kGlyphWidth = 5;
inline constexpr int64_t kGlyphHeight = 7;
// Rows from the top; of each, the highest of five bits is on the left.
using Glyph = std::array<uint8_t, kGlyphHeight>;

// ASCII from space to '~'; anything else gives '?'.
const Glyph& GlyphOf(char c);

}  // namespace galen
