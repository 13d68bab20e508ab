#include "grammar/inexact_numbers.h"

#include <cstdlib>
#include <vector>

#include "grammar/number.h"

namespace galen::grammar {
namespace {

using Tree = nlohmann::ordered_json;
using Pointer = Tree::json_pointer;

// Follows where in the document the parser is.
class NumberFinder : public nlohmann::json_sax<Tree> {
 public:
  bool null() override { return Value(); }
  bool boolean(bool) override { return Value(); }
  bool number_integer(number_integer_t) override { return Value(); }
  bool number_unsigned(number_unsigned_t) override { return Value(); }
  bool number_float(number_float_t value, const string_t& text) override {
    const Result<Decimal> written = DecimalOf(text), kept = DecimalOf(Tree(value).dump());
    // Too many digits to tell are too many to keep. A double that has too many is refused where it
    // is used.
    if (!written.ok() || (kept.ok() && Compare(*written, *kept) != 0)) {
      found_.emplace_back(Here(), text);
    }
    return Value();
  }
  bool string(string_t&) override { return Value(); }
  bool binary(binary_t&) override { return Value(); }
  bool start_object(size_t) override { return Open(false); }
  bool start_array(size_t) override { return Open(true); }
  bool key(string_t& name) override {
    steps_.back().key = name;
    return true;
  }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool parse_error(size_t, const std::string&, const Tree::exception&) override { return false; }

  const std::vector<std::pair<Pointer, std::string>>& found() const { return found_; }

 private:
  struct Step {
    bool array = false;
    size_t index = 0;
    std::string key;
  };
  Pointer Here() const {
    Pointer pointer;
    for (const Step& step : steps_) {
      step.array ? pointer /= step.index : pointer /= step.key;
    }
    return pointer;
  }
  bool Value() {
    if (!steps_.empty()) ++steps_.back().index;
    return true;
  }
  bool Open(bool array) {
    steps_.push_back({array, 0, ""});
    return true;
  }
  bool Close() {
    steps_.pop_back();
    return Value();
  }

  std::vector<Step> steps_;
  std::vector<std::pair<Pointer, std::string>> found_;
};

}  // namespace

std::map<const Tree*, std::string> InexactNumbers(std::string_view text, const Tree& parsed) {
  NumberFinder finder;
  Tree::sax_parse(text.begin(), text.end(), &finder);
  std::map<const Tree*, std::string> numbers;
  for (const auto& [pointer, written] : finder.found()) {
    // A name that came again has its last value, which may be another.
    if (!parsed.contains(pointer)) continue;
    const Tree& value = parsed.at(pointer);
    const bool same =
        value.is_number_float() && Tree(std::strtod(written.c_str(), nullptr)) == value;
    if (same) numbers[&value] = written;
  }
  return numbers;
}

}  // namespace galen::grammar
