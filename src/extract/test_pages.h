// Pages for tests, made of lines of words at given places; letters are 5 points wide.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "extract/source/page.h"

namespace galen::extract {

class TestPage {
 public:
  explicit TestPage(int64_t number = 1) {
    page_.file = "test.pdf";
    page_.number = number;
    page_.width = 612;
    page_.height = 792;
    page_.word_source = WordSource::kTextLayer;
  }
  // A row: cells of words, each cell at its x.
  TestPage& Row(std::vector<std::pair<double, std::string>> cells) {
    for (const auto& [x, text] : cells) Words(x, text);
    y_ += 14;
    return *this;
  }
  TestPage& Text(const std::string& text) { return Row({{40, text}}); }
  TestPage& Gap() {
    y_ += 20;
    return *this;
  }
  const SourcePage& page() const { return page_; }

 private:
  void Words(double x, std::string_view text) {
    while (!text.empty()) {
      const size_t end = std::min(text.find(' '), text.size());
      if (end > 0) {
        PageWord word;
        word.text = std::string(text.substr(0, end));
        word.box = {x, y_, x + 5.0 * static_cast<double>(end), y_ + 10};
        word.line = line_;
        page_.words.push_back(word);
      }
      x += 5.0 * static_cast<double>(end + 1);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    ++line_;
  }

  SourcePage page_;
  double y_ = 40;
  int32_t line_ = 0;
};

}  // namespace galen::extract
