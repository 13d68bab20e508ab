#include "prompt_media.h"

namespace galen::cli {
namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 28;

}  // namespace

void AddImageOptions(CLI::App& verb, ImageOptions* o) {
  verb.add_option("--image-tokens", o->tokens,
                  "Tokens of each image; fewer mean a smaller image (default: the model's)");
  verb.add_option("--min-pixels", o->min_pixels,
                  "Area that smaller images are enlarged to, of models that take any shape "
                  "(default: the model's)")
      ->check(CLI::Range(int64_t{1}, kMaxPixels));
  verb.add_option(
          "--max-pixels", o->max_pixels,
          "Area that larger images are reduced to, of the same models (default: the model's)")
      ->check(CLI::Range(int64_t{1}, kMaxPixels));
  verb.add_flag("--pan-and-scan", o->pan_and_scan,
                "Long images also as crops along their long side");
}

}  // namespace galen::cli
