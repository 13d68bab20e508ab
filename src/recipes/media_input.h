// What a model gets to see: images, the words between them, and where each pixel came from.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "media/document/text_layer.h"
#include "media/image/image.h"

namespace galen {

// From pixels of what the model sees back to pixels of the source: source = seen * scale + offset,
// for edges.
struct PixelMap {
  double scale_x = 1, scale_y = 1;
  double offset_x = 0, offset_y = 0;
  int64_t source_width = 0, source_height = 0;

  // Cut to the source; empty (x0 == x1) where it lies wholly in padding.
  Box ToSource(const Box& seen) const;
};

struct SeenImage {
  Image image;         // RGB, before the model's own resizing
  std::string source;  // the file as the user named it, and the page, slice or patch
  PixelMap to_source;
  std::string recipe;  // Recipe::Id
};

struct PromptPart {
  enum Kind { kText, kImage };
  Kind kind = kText;
  std::string text;
  int image = -1;  // into MediaInput::images
};

struct MediaInput {
  std::string recipe, recipe_version, recipe_source;
  bool official = false;
  std::string system;
  std::vector<PromptPart> parts;
  std::vector<SeenImage> images;
  bool pan_and_scan = false;
  int64_t max_new_tokens = 0;
  std::vector<std::string> warnings;
  // For people, in this order: "spacing", "windows", "order", ...
  std::vector<std::pair<std::string, std::string>> facts;
  // For people, not for the model: the slide with its patches.
  std::vector<SeenImage> overviews;
  // 32 hexadecimal digits over recipe, words and every pixel: SipHash-128 under a key of zeros. It
  // identifies; it is no proof against somebody who looks for collisions.
  std::string digest;
};

// Sets `digest` from everything that the model gets.
void FinishDigest(MediaInput* input);
// Text of the user turn with "[image k]" lines, for people.
std::string PromptForPeople(const MediaInput& input);

}  // namespace galen
