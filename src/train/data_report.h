// What became of the lines of a file of examples.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace galen {

// Of a classification head's class.
struct ClassCount {
  std::string name;
  int64_t positive = 0;
  int64_t negative = 0;
};

struct DataReport {
  int64_t lines = 0;
  int64_t used = 0;
  int64_t bad = 0;       // left out: broken, without an answer or an image, refused by the template
  int64_t too_long = 0;  // left out
  int64_t truncated = 0;  // used without their ends
  int64_t tokens = 0;     // 0: the task counts none
  int64_t labels = 0;
  int64_t images = 0;  // places of images in examples
  std::vector<ClassCount> classes;
  std::vector<std::string> notes;  // the first lines that were left out or cut, and why

  void Note(std::string note) {
    constexpr size_t kMaxNotes = 20;
    if (notes.size() < kMaxNotes) notes.push_back(std::move(note));
  }
};

// What an error says of a few examples: "FILE:LINE, FILE:LINE and 3 more".
template <typename Name>
std::string NameSome(const std::vector<int64_t>& examples, const Name& name) {
  constexpr size_t kNamed = 4;
  std::string text;
  for (size_t i = 0; i < examples.size() && i < kNamed; ++i) {
    text += (i == 0 ? "" : ", ") + name(examples[i]);
  }
  if (examples.size() > kNamed) {
    text += " and " + std::to_string(examples.size() - kNamed) + " more";
  }
  return text;
}

}  // namespace galen
