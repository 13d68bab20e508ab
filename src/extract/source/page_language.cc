#include "extract/source/page_language.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "extract/configs.h"

namespace galen::extract {
namespace {

constexpr size_t kEnough = 3, kLead = 2;

using Vocabulary = std::map<std::string, std::vector<std::string>>;  // word: languages

const Vocabulary& Words() {
  static const Vocabulary vocabulary = [] {
    Vocabulary words;
    const Json json = BuiltinJson("extract/languages.json");
    for (const auto& [language, list] : json.items()) {
      for (const Json& word : list) words[word.get<std::string>()].push_back(language);
    }
    return words;
  }();
  return vocabulary;
}

// The letter of A to Z that U+00C0 to U+00FF derives from; 0: none. `second`: of its two bytes.
char PlainLetter(uint8_t second) {
  constexpr char kLetters[] =
      "aaaaaa\0ceeeeiiii\0nooooo\0ouuuuy\0\0aaaaaa\0ceeeeiiii\0nooooo\0ouuuuy\0y";
  return kLetters[second & 0x3F];
}

// Runs of letters, in lower case and without accents.
std::vector<std::string> PlainWords(std::string_view text) {
  std::vector<std::string> words(1);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    char letter = 0;
    if (c == 0xC3 && i + 1 < text.size()) {
      letter = PlainLetter(static_cast<uint8_t>(text[++i]));
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') {
      letter = static_cast<char>(c | 0x20);
    }
    if (letter != 0) {
      words.back() += letter;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  return words;
}

}  // namespace

std::string PageLanguage(std::span<const PageWord> words, std::string_view languages) {
  std::map<std::string, size_t> found;
  for (std::string_view rest = languages; !rest.empty();) {
    const size_t end = std::min(rest.find('+'), rest.size());
    found[std::string(rest.substr(0, end))] = 0;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  std::set<std::string> seen;
  for (const PageWord& word : words) {
    for (std::string& plain : PlainWords(word.text)) {
      const auto at = Words().find(plain);
      if (at == Words().end() || !seen.insert(std::move(plain)).second) continue;
      for (const std::string& language : at->second) {
        if (const auto it = found.find(language); it != found.end()) ++it->second;
      }
    }
  }
  std::string best;
  size_t most = 0, next = 0;
  for (const auto& [language, count] : found) {
    if (count > most) {
      next = std::exchange(most, count);
      best = language;
    } else {
      next = std::max(next, count);
    }
  }
  return most >= kEnough && most >= kLead * next ? best : "";
}

}  // namespace galen::extract
