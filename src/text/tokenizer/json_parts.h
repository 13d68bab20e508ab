// The components of tokenizer.json, each read into the type that does its work. A kind that galen
// does not know is refused by name.
#pragma once

#include "base/json.h"
#include "text/tokenizer/decoder.h"
#include "text/tokenizer/normalizer.h"
#include "text/tokenizer/pre_tokenizer.h"

namespace galen::text {

Status ReadNormalizer(const Json& json, Normalizer* out);
Status ReadPreTokenizer(const Json& json, PreTokenizer* out);
Status ReadDecoder(const Json& json, Decoder* out);

}  // namespace galen::text
