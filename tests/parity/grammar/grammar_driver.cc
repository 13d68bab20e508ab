// Constraints driven from outside: a JSON object a line in, one a line out.
//
//   grammar_driver TOKENIZER_JSON|bytes
//
// {"schema": S | "regex": R | "grammar": G, "whitespace": "compact"}   what follows is about it
//   "documents": [text, ...]      which of them are texts of the language, token by token: each
//                                 token of the tokenizer's own spelling must be in the mask
//   "walk": N, "seed": S          N random walks through the masks, each finished by the shortest
//                                 completion once it is long
//   "time": true                  seconds to compile, and of each mask along the documents
#include <chrono>
#include <deque>
#include <iostream>
#include <random>
#include <unordered_map>

#include "base/files.h"
#include "base/json.h"
#include "grammar/constraint.h"

using namespace galen;
using namespace galen::grammar;

namespace {

constexpr int kLongWalk = 40;  // tokens
constexpr size_t kMaxVisited = 400000;

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool Allowed(const TokenMask& mask, TokenId id) { return mask[id / 64] >> (id % 64) & 1; }

// The shortest text from a configuration to a complete one that begins no escape and no character
// beyond ASCII.
std::string Shortest(const Constraint& c, ConfigId from) {
  std::unordered_map<ConfigId, std::pair<ConfigId, char>> before{{from, {kDead, 0}}};
  std::deque<ConfigId> todo{from};
  while (!todo.empty() && before.size() < kMaxVisited) {
    ConfigId at = todo.front();
    todo.pop_front();
    if (c.Complete(at)) {
      std::string text;
      for (; at != from; at = before[at].first) text.insert(text.begin(), before[at].second);
      return text;
    }
    for (int b = 0x20; b < 0xc0; b += b < 0x80 ? 1 : 16) {  // of continuations one of each kind
      if (b == '\\' && at != from) continue;
      const ConfigId next = c.Advance(at, std::string(1, static_cast<char>(b)));
      if (next != kDead && before.try_emplace(next, at, static_cast<char>(b)).second)
        todo.push_back(next);
    }
  }
  return "\x01 no completion found";
}

bool Special(const std::string& bytes) {
  return bytes.find_first_of("\"\\,]}") != std::string::npos;
}

// An allowed token, found from a random place on: one that ends something, where `special` asks
// for it and one is near. -1: the mask is empty.
TokenId Pick(const Vocabulary& vocabulary, const TokenMask& mask, bool special,
             std::mt19937_64& random) {
  const TokenId size = static_cast<TokenId>(vocabulary.size());
  const TokenId start = static_cast<TokenId>(random() % static_cast<uint64_t>(size));
  TokenId found = -1;
  int looked = 0;
  for (TokenId i = 0; i < size; ++i) {
    const TokenId id = (start + i) % size;
    if (mask[id / 64] == 0 || !Allowed(mask, id)) continue;
    if (!special || Special(vocabulary.bytes(id))) return id;
    if (found < 0) found = id;
    if (++looked > 3000) break;
  }
  return found;
}

std::string Walk(const Constraint& c, std::mt19937_64& random) {
  ConfigId config = c.Start();
  std::string text;
  const int longest = 1 + static_cast<int>(random() % kLongWalk);
  for (int i = 0; i < longest; ++i) {
    if (c.Complete(config) && (!c.OpenEnded(config) || random() % 4 == 0)) return text;
    const auto mask = c.Mask(config);
    const TokenId id = Pick(c.vocabulary(), *mask, random() % 2 == 0, random);
    if (id < 0) return text + "\x01 empty mask";
    text += c.vocabulary().bytes(id);
    config = c.Advance(config, c.vocabulary().bytes(id));
    if (config == kDead) return text + "\x01 the mask allows what the automaton forbids";
  }
  return text + Shortest(c, config);
}

// The tokens of a text in the tokenizer's spelling; its bytes where there is no tokenizer.
std::vector<std::string> Pieces(const Tokenizer* tokenizer, const std::string& text,
                                std::vector<TokenId>* ids) {
  std::vector<std::string> pieces;
  if (tokenizer != nullptr) {
    const auto encoded = tokenizer->Encode(text);
    std::string joined;
    for (const TokenId id : *encoded) {
      pieces.push_back(tokenizer->TokenBytes(id));
      joined += pieces.back();
    }
    if (joined == text) {
      *ids = *encoded;
      return pieces;
    }
  }
  ids->clear();
  pieces.clear();
  for (const char c : text) pieces.emplace_back(1, c);
  return pieces;
}

struct Followed {
  bool valid = false;
  std::vector<double> mask_seconds;
};

// Follows a text; where the tokens are known, each must be in the mask exactly if the automaton
// takes it.
Followed Follow(const Constraint& c, const Tokenizer* tokenizer, const std::string& text) {
  std::vector<TokenId> ids;
  const std::vector<std::string> pieces = Pieces(tokenizer, text, &ids);
  Followed result;
  ConfigId config = c.Start();
  for (size_t i = 0; i < pieces.size(); ++i) {
    const ConfigId next = c.Advance(config, pieces[i]);
    if (!ids.empty()) {
      const double begin = Seconds();
      const auto mask = c.Mask(config);
      result.mask_seconds.push_back(Seconds() - begin);
      GALEN_CHECK(mask != nullptr && Allowed(*mask, ids[i]) == (next != kDead));
    }
    config = next;
    if (config == kDead) return result;
  }
  result.valid = c.Complete(config);
  return result;
}

Json Answer(const Json& request, const std::shared_ptr<const Vocabulary>& vocabulary,
            const Tokenizer* tokenizer) {
  const double begin = Seconds();
  const std::string schema = request.contains("schema") ? request["schema"].get<std::string>() : "";
  auto constraint = request.contains("schema")
                        ? Constraint::FromSchema(schema, vocabulary,
                                                 request.value("whitespace", "") == "compact"
                                                     ? Whitespace::kCompact
                                                     : Whitespace::kFlexible)
                    : request.contains("regex")
                        ? Constraint::FromRegex(request["regex"].get<std::string>(), vocabulary)
                        : Constraint::FromGbnf(request["grammar"].get<std::string>(), vocabulary);
  const double compiled = Seconds() - begin;
  Json answer = {{"compile_s", compiled}};
  if (!constraint.ok()) {
    answer["error"] = constraint.status().message();
    answer["code"] = StatusCodeName(constraint.status().code());
    return answer;
  }
  const Constraint& c = **constraint;
  const bool time = request.value("time", false);
  Json valid = Json::array(), times = Json::array();
  for (const auto& document : request.value("documents", Json::array())) {
    const Followed followed = Follow(c, tokenizer, document.get<std::string>());
    valid.push_back(followed.valid);
    if (time) times.push_back(followed.mask_seconds);
  }
  answer["valid"] = valid;
  if (time) answer["mask_s"] = times;
  Json walks = Json::array();
  std::mt19937_64 random(request.value("seed", 1));
  for (int i = 0; i < request.value("walk", 0); ++i) walks.push_back(Walk(c, random));
  answer["walks"] = walks;
  return answer;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string path = argv[1];
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const Vocabulary> vocabulary;
  if (path == "bytes") {
    std::vector<std::string> bytes;
    for (int b = 0; b < 256; ++b) bytes.emplace_back(1, static_cast<char>(b));
    vocabulary = Vocabulary::FromBytes(std::move(bytes));
  } else {
    const auto text = ReadFile(path);
    auto read = text.ok() ? Tokenizer::FromJson(*text) : text.status();
    if (!read.ok()) {
      std::cerr << read.status().message() << "\n";
      return 1;
    }
    tokenizer = *read;
    vocabulary = Vocabulary::Create(*tokenizer, tokenizer->special().stop);
  }
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto request = ParseJson(line);
    if (!request.ok()) return 2;
    std::cout << Answer(*request, vocabulary, tokenizer.get())
                     .dump(-1, ' ', false, Json::error_handler_t::replace)
              << std::endl;
  }
  return 0;
}
