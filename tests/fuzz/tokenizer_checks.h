// What every tokenizer must keep, however strange the file it was read from.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace galen {

inline void CheckTokenizer(const Result<std::shared_ptr<const Tokenizer>>& loaded) {
  using namespace std::string_view_literals;
  if (!loaded.ok()) {
    GALEN_CHECK(!loaded.status().message().empty());
    return;
  }
  const Tokenizer& tokenizer = **loaded;
  GALEN_CHECK(tokenizer.vocab_size() >= 0);
  constexpr std::string_view kTexts[] = {
      ""sv,
      "a"sv,
      "Hello, world! 12345 the  aaaaaaaab\n\n\tabc-def"sv,
      "\xE2\x96\x81 \xE2\x96\x81\xE2\x96\x81"sv,
      "caf\xC3\xA9 e\xCC\x81 \xEF\xAC\x81 \xF0\x9F\x98\x80\xE2\x80\x8D \xE6\xBC\xA2\xE5\xAD\x97 \xED\x95\x9C"sv,
      "\xFF\xC3 \xE2\x82 \xED\xA0\x80 \xF0\x9F"sv,
      "<s></s><unk><pad> <one> <|turn|> <0x41>"sv,
      "\0\x01\x7F\r\n "sv};
  for (const std::string_view text : kTexts) {
    for (const bool special : {false, true}) {
      const auto ids = tokenizer.Encode(
          text, {.add_bos = special, .add_eos = special, .parse_special = special});
      if (!ids.ok()) {
        GALEN_CHECK(!ids.status().message().empty());
        continue;
      }
      for (const TokenId id : *ids) {
        GALEN_CHECK(id >= 0 && id < tokenizer.vocab_size());
        // The unknown token may stand for anything; no other control token comes from plain text.
        GALEN_CHECK(special || !tokenizer.IsControl(id) || id == tokenizer.special().unk);
        (void)tokenizer.TokenBytes(id);
      }
      for (const bool skip : {false, true}) {
        StreamingDetokenizer stream(*loaded, skip);
        std::string parts;
        for (const TokenId id : *ids) parts += stream.Add(id);
        parts += stream.Flush();
        GALEN_CHECK(parts == tokenizer.Decode(*ids, skip));
      }
    }
  }
}

}  // namespace galen
