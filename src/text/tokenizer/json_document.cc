#include "text/tokenizer/json_document.h"

#include <algorithm>
#include <cstdlib>

namespace galen::text {
namespace {

constexpr size_t kMaxDepth = 128;
constexpr int kMaxExponent = 308;

// A decimal number as `tokenizers` reads it: serde_json without its feature float_roundtrip takes
// the digits as one integer and multiplies or divides by a power of ten, which is off by a unit in
// the last place for a quarter of all scores and decides between segmentations of equal total.
double ReadScore(const std::string& text) {
  uint64_t digits = 0;
  int exponent = 0;
  bool fraction = false, full = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.') fraction = true;
    if (c == 'e' || c == 'E') {
      const long written = std::strtol(text.c_str() + i + 1, nullptr, 10);
      exponent += static_cast<int>(std::clamp(written, -100'000L, 100'000L));
      break;
    }
    if (c < '0' || c > '9') continue;
    const auto digit = static_cast<uint64_t>(c - '0');
    full = full || digits > (UINT64_MAX - digit) / 10;
    if (!full) digits = digits * 10 + digit;
    exponent += (full ? 1 : 0) - (fraction ? 1 : 0);
  }
  auto value = static_cast<double>(digits);
  for (; exponent < -kMaxExponent && value != 0; exponent += kMaxExponent) value /= 1e308;
  exponent = std::clamp(exponent, -kMaxExponent, kMaxExponent);
  const double power = std::strtod(("1e" + std::to_string(std::abs(exponent))).c_str(), nullptr);
  value = exponent < 0 ? value / power : value * power;
  return text.starts_with('-') ? -value : value;
}

// The events of nlohmann's parser, which reads no deeper than this class lets it.
class Reader : public nlohmann::json_sax<Json> {
 public:
  explicit Reader(size_t size, TokenizerDocument* out) : out_(*out) {
    out_.vocab_bytes->reserve(size);  // no text moves: only touched pages count
    out_.merge_bytes.reserve(size);
  }
  const std::string& error() const { return error_; }

  bool null() override { return Value(Json()); }
  bool boolean(bool value) override { return Value(Json(value)); }
  bool number_integer(int64_t value) override {
    return Number(static_cast<double>(value), value, Json(value));
  }
  bool number_unsigned(uint64_t value) override {
    return Number(static_cast<double>(value), value > INT64_MAX ? -1 : static_cast<int64_t>(value),
                  Json(value));
  }
  bool number_float(double value, const std::string& text) override {
    return Number(mode_ == Mode::kVocabPair ? ReadScore(text) : value, -1, Json(value));
  }
  bool binary(binary_t&) override { return false; }

  bool string(std::string& value) override {
    if (mode_ == Mode::kVocabPair && !pair_has_text_) {
      pair_has_text_ = true;
      out_.vocab_texts.push_back(Keep(value, out_.vocab_bytes.get()));
      return true;
    }
    if (mode_ == Mode::kMerges) {
      out_.merges_left.push_back(Keep(value, &out_.merge_bytes));
      out_.merges_right.emplace_back();
      return true;
    }
    if (mode_ == Mode::kMergePair && pair_count_ < 2) {
      (pair_count_++ == 0 ? out_.merges_left : out_.merges_right)
          .push_back(Keep(value, &out_.merge_bytes));
      return true;
    }
    if (mode_ != Mode::kTree) return Fail();
    return Value(Json(std::move(value)));
  }

  bool start_object(size_t) override {
    if (mode_ != Mode::kTree) return Fail();
    if (AtTable("vocab")) {
      mode_ = Mode::kVocabObject;
      out_.vocab = TokenizerDocument::Table::kObject;
      return true;
    }
    return Open(Json::object());
  }
  bool key(std::string& value) override {
    if (mode_ == Mode::kVocabObject) {
      out_.vocab_texts.push_back(Keep(value, out_.vocab_bytes.get()));
      return true;
    }
    keys_.back() = std::move(value);
    return true;
  }
  bool end_object() override {
    if (mode_ == Mode::kVocabObject) {
      mode_ = Mode::kTree;
      return true;
    }
    return Close();
  }

  bool start_array(size_t) override {
    switch (mode_) {
      case Mode::kVocabList:
        mode_ = Mode::kVocabPair;
        pair_has_text_ = pair_has_number_ = false;
        return true;
      case Mode::kMerges:
        mode_ = Mode::kMergePair;
        pair_count_ = 0;
        return true;
      case Mode::kTree:
        break;
      default:
        return Fail();
    }
    if (AtTable("vocab")) {
      mode_ = Mode::kVocabList;
      out_.vocab = TokenizerDocument::Table::kList;
      return true;
    }
    if (AtTable("merges")) {
      mode_ = Mode::kMerges;
      out_.has_merges = true;
      return true;
    }
    return Open(Json::array());
  }
  bool end_array() override {
    switch (mode_) {
      case Mode::kVocabPair:
        mode_ = Mode::kVocabList;
        return (pair_has_text_ && pair_has_number_) || Fail();
      case Mode::kMergePair:
        mode_ = Mode::kMerges;
        return pair_count_ == 2 || Fail();
      case Mode::kVocabList:
      case Mode::kMerges:
        mode_ = Mode::kTree;
        return true;
      default:
        return Close();
    }
  }

  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& e) override {
    error_ = std::string("invalid JSON: ") + e.what();
    return false;
  }

 private:
  enum class Mode { kTree, kVocabObject, kVocabList, kVocabPair, kMerges, kMergePair };

  // Is the value that starts now model.NAME? Only the first table of a name is read; a second one
  // is an error.
  bool AtTable(std::string_view name) const {
    if (open_.size() != 2 || keys_[0] != "model" || !open_[1]->is_object() || keys_[1] != name)
      return false;
    return name == "vocab" ? out_.vocab == TokenizerDocument::Table::kAbsent : !out_.has_merges;
  }

  static TokenizerDocument::Text Keep(const std::string& text, std::string* bytes) {
    const TokenizerDocument::Text kept{bytes->size(), static_cast<uint32_t>(text.size())};
    bytes->append(text);
    return kept;
  }

  bool Fail() {
    const bool vocab =
        mode_ == Mode::kVocabObject || mode_ == Mode::kVocabList || mode_ == Mode::kVocabPair;
    const size_t index = vocab ? out_.vocab_texts.size() : out_.merges_left.size();
    error_ =
        vocab ? "model.vocab: entry " + std::to_string(index) + " is no token with its id or score"
              : "model.merges[" + std::to_string(index) + "] is no pair of tokens";
    return false;
  }

  bool Number(double real, int64_t integer, Json json) {
    switch (mode_) {
      case Mode::kVocabObject:
        out_.vocab_ids.push_back(integer);
        return true;
      case Mode::kVocabPair:
        if (!pair_has_text_ || pair_has_number_) return Fail();
        pair_has_number_ = true;
        out_.vocab_scores.push_back(real);
        return true;
      case Mode::kTree:
        return Value(std::move(json));
      default:
        return Fail();
    }
  }

  Json* Place(Json value) {
    if (open_.empty()) {
      out_.rest = std::move(value);
      return &out_.rest;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) return &parent.emplace_back(std::move(value));
    return &(parent[keys_.back()] = std::move(value));
  }
  bool Value(Json value) {
    if (mode_ != Mode::kTree) return Fail();
    Place(std::move(value));
    return true;
  }
  bool Open(Json value) {
    if (open_.size() >= kMaxDepth) {
      error_ = "JSON is nested deeper than " + std::to_string(kMaxDepth) + " levels";
      return false;
    }
    Json* placed = Place(std::move(value));
    open_.push_back(placed);
    keys_.emplace_back();
    return true;
  }
  bool Close() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }

  TokenizerDocument& out_;
  Mode mode_ = Mode::kTree;
  // The containers around the current value. A pointer stays valid while its container is open:
  // only the innermost one grows, and growing moves none of the others.
  std::vector<Json*> open_;
  std::vector<std::string> keys_;
  bool pair_has_text_ = false, pair_has_number_ = false;
  int pair_count_ = 0;
  std::string error_;
};

}  // namespace

Result<TokenizerDocument> ParseTokenizerJson(std::string_view text) {
  TokenizerDocument document;
  Reader reader(text.size(), &document);
  if (!Json::sax_parse(text.begin(), text.end(), &reader))
    return DataLoss("tokenizer.json: " + reader.error());
  return document;
}

}  // namespace galen::text
