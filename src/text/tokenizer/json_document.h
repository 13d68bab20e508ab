// Reads tokenizer.json in one pass. The two tables that make up nearly all of a file (262,144
// tokens and 514,906 merges for Gemma 3, 33 MB) go into flat arrays; everything else becomes a Json
// value, without model.vocab and model.merges.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace galen::text {

struct TokenizerDocument {
  struct Text {
    size_t begin = 0;
    uint32_t size = 0;
  };
  enum class Table { kAbsent, kObject, kList };

  Json rest;
  // model.vocab: {"token": id} or [["token", score]].
  Table vocab = Table::kAbsent;
  std::shared_ptr<std::string> vocab_bytes = std::make_shared<std::string>();
  std::vector<Text> vocab_texts;
  std::vector<int64_t> vocab_ids;    // of an object
  std::vector<double> vocab_scores;  // of a list
  // model.merges: "left right" (right stays empty) or ["left", "right"].
  bool has_merges = false;
  std::string merge_bytes;
  std::vector<Text> merges_left, merges_right;

  std::string_view VocabText(size_t i) const {
    return std::string_view(*vocab_bytes).substr(vocab_texts[i].begin, vocab_texts[i].size);
  }
  std::string_view MergeText(const Text& text) const {
    return std::string_view(merge_bytes).substr(text.begin, text.size);
  }
};

Result<TokenizerDocument> ParseTokenizerJson(std::string_view text);

}  // namespace galen::text
