// config.json and generation_config.json: the first line that is "---" separates the two.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "formats/hf_config.h"

using namespace galen;

namespace {

void ReadRope(const JsonView& view, RopeLayers layers) {
  const Result<RopeParameters> rope = ReadHfRope(view, layers, 1e4);
  if (!rope.ok()) return;
  GALEN_CHECK(std::isfinite(rope->theta) && rope->theta >= 1.0);
  GALEN_CHECK(std::isfinite(rope->factor) && rope->factor > 0.0);
  GALEN_CHECK(rope->low_freq_factor > 0.0 && rope->high_freq_factor > 0.0);
  GALEN_CHECK(rope->original_max_position_embeddings >= 0);
}

// Every key through every getter: none may throw.
void ReadAll(const JsonView& view) {
  for (const auto& [key, value] : view.json().items()) {
    const bool read = view.GetInt(key, -5, 5).ok() | view.GetDouble(key, -5, 5).ok() |
                      view.GetBool(key).ok() | view.GetString(key).ok() |
                      view.GetInts(key, -5, 5).ok() | view.GetStrings(key).ok();
    (void)view.Object(key).ok();  // null is an empty object
    GALEN_CHECK(!read || view.Has(key));
  }
  ReadRope(view, RopeLayers::kGlobal);
  ReadRope(view, RopeLayers::kSliding);
  const auto sliding = ReadSlidingLayers(view, 7, 6);
  GALEN_CHECK(!sliding.ok() || sliding->size() == 7);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::string_view kSeparator = "\n---\n";
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t split = text.find(kSeparator);
  const std::string_view generation =
      split == text.npos ? "" : text.substr(split + kSeparator.size());
  const Result<HfConfig> config = HfConfig::Parse(text.substr(0, split), generation, "/m");
  if (!config.ok()) {
    GALEN_CHECK(!config.status().message().empty());
    return 0;
  }
  for (const int64_t id : config->eos_token_ids()) GALEN_CHECK(id >= 0);
  ReadAll(config->root());
  ReadAll(config->text());
  return 0;
}
