// `galen bench MODEL --image FILE`.
#pragma once

#include "bench_subject.h"

namespace galen::cli {

// A question about o.image: encode_image, the seconds of the image tower; prefill_image, the rate
// of a prompt that the image's tokens fill, with `text_tokens_per_s` of a text of its length beside
// it; image_first_token and image_again, the seconds to the first token of the answer when the
// image is new and when it was asked about before.
Result<Json> MeasureImageQuestion(const BenchOptions& o);

}  // namespace galen::cli
