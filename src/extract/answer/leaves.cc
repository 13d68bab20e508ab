#include "extract/answer/leaves.h"

#include <cmath>

namespace galen::extract {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";
constexpr size_t kMaxLeaves = 200000;

class LeafReader {
 public:
  LeafReader(std::string_view text, int max_depth, ParsedAnswer* answer)
      : text_(text), max_depth_(max_depth), answer_(answer) {}

  // kEnd: the text stopped in the middle.
  enum class Outcome { kOk, kEnd, kFault };

  Outcome Value(const std::string& path, Json* value, int depth) {
    Spaces();
    if (at_ >= text_.size()) return Outcome::kEnd;
    if (depth > max_depth_ || answer_->leaves.size() > kMaxLeaves) return Outcome::kFault;
    const char c = text_[at_];
    if (c == '{') return Object(path, value, depth);
    if (c == '[') return Array(path, value, depth);
    Leaf leaf;
    leaf.path = path;
    leaf.begin = at_;
    const Outcome outcome = Scalar(&leaf);
    if (outcome != Outcome::kOk) return outcome;
    leaf.end = at_;
    *value = leaf.value;
    answer_->leaves.push_back(std::move(leaf));
    return Outcome::kOk;
  }

  bool AtEnd() {
    Spaces();
    return at_ >= text_.size();
  }

 private:
  void Spaces() { at_ = std::min(text_.find_first_not_of(kSpaces, at_), text_.size()); }

  // A string's end: behind its closing quotation mark; npos: none.
  size_t StringEnd() const {
    for (size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\') {
        ++i;
      } else if (text_[i] == '"') {
        return i + 1;
      }
    }
    return text_.npos;
  }

  Outcome Parse(size_t end, Json* value) {
    Result<Json> parsed = ParseJson(text_.substr(at_, end - at_), 2);
    if (!parsed.ok()) return Outcome::kFault;
    *value = *std::move(parsed);
    at_ = end;
    return Outcome::kOk;
  }

  Outcome Scalar(Leaf* leaf) {
    if (text_[at_] == '"') {
      const size_t end = StringEnd();
      return end == text_.npos ? Outcome::kEnd : Parse(end, &leaf->value);
    }
    const size_t end = std::min(text_.find_first_of(",]} \t\r\n", at_), text_.size());
    // A number or literal that ends with the text may have gone on.
    if (end == text_.size()) return Outcome::kEnd;
    leaf->raw = std::string(text_.substr(at_, end - at_));
    // The parser of numbers stops at a NUL; here it would go on into what is written.
    if (leaf->raw.find_first_not_of("0123456789+-.eEaflnrstu") != leaf->raw.npos) {
      return Outcome::kFault;
    }
    const Outcome outcome = Parse(end, &leaf->value);
    if (outcome == Outcome::kOk && leaf->value.is_number() &&
        !std::isfinite(leaf->value.get<double>())) {
      return Outcome::kFault;
    }
    return outcome;
  }

  static std::string Escaped(const std::string& name) {
    std::string out;
    for (const char c : name) {
      if (c == '~') {
        out += "~0";
      } else if (c == '/') {
        out += "~1";
      } else {
        out += c;
      }
    }
    return out;
  }

  Outcome Object(const std::string& path, Json* value, int depth) {
    *value = Json::object();
    ++at_;
    for (bool first = true;; first = false) {
      Spaces();
      if (at_ >= text_.size()) return Outcome::kEnd;
      if (first && text_[at_] == '}') break;
      if (text_[at_] != '"') return Outcome::kFault;
      const size_t end = StringEnd();
      if (end == text_.npos) return Outcome::kEnd;
      Json name;
      if (Parse(end, &name) != Outcome::kOk) return Outcome::kFault;
      Spaces();
      if (at_ >= text_.size()) return Outcome::kEnd;
      if (text_[at_++] != ':') return Outcome::kFault;
      Json item;
      const std::string key = name.get<std::string>();
      const Outcome outcome = Value(path + "/" + Escaped(key), &item, depth + 1);
      if (outcome == Outcome::kOk || item.is_structured()) (*value)[key] = std::move(item);
      if (outcome != Outcome::kOk) return outcome;
      Spaces();
      if (at_ >= text_.size()) return Outcome::kEnd;
      if (text_[at_] == '}') break;
      if (text_[at_++] != ',') return Outcome::kFault;
    }
    ++at_;
    return Outcome::kOk;
  }

  Outcome Array(const std::string& path, Json* value, int depth) {
    *value = Json::array();
    ++at_;
    for (size_t i = 0;; ++i) {
      Spaces();
      if (at_ >= text_.size()) return Outcome::kEnd;
      if (i == 0 && text_[at_] == ']') break;
      Json item;
      const Outcome outcome = Value(path + "/" + std::to_string(i), &item, depth + 1);
      if (outcome == Outcome::kOk || item.is_structured()) value->push_back(std::move(item));
      if (outcome != Outcome::kOk) return outcome;
      Spaces();
      if (at_ >= text_.size()) return Outcome::kEnd;
      if (text_[at_] == ']') break;
      if (text_[at_++] != ',') return Outcome::kFault;
    }
    ++at_;
    return Outcome::kOk;
  }

  const std::string_view text_;
  const int max_depth_;
  ParsedAnswer* const answer_;
  size_t at_ = 0;
};

}  // namespace

Result<ParsedAnswer> ParseAnswer(std::string_view text, int max_depth) {
  ParsedAnswer answer;
  LeafReader reader(text, max_depth, &answer);
  const LeafReader::Outcome outcome = reader.Value("", &answer.document, 0);
  const bool fault = outcome == LeafReader::Outcome::kFault || !answer.document.is_object() ||
                     (outcome == LeafReader::Outcome::kOk && !reader.AtEnd());
  // The answer may quote the document, so the message does not quote it.
  if (fault) return DataLoss("the model's answer is no JSON object");
  answer.whole = outcome == LeafReader::Outcome::kOk;
  return answer;
}

}  // namespace galen::extract
