// One training example of an image-text model: an image with the labels of a classification head,
// or with a text.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "text/template/chat_template.h"

namespace galen {

struct LabelledImage {
  std::string image;  // the path as the line gives it
  // 1: yes, 0: no, -1: not known.
  std::vector<std::pair<std::string, int8_t>> labels;
  // The line lists what is there: every class that it does not name is a no. Else not known.
  bool complete = false;
};

struct CaptionedImage {
  std::string image;
  std::string text;
};

// Understands
//   {"image": path, "labels": ["a", "b"]}                    these and no others
//   {"image": path, "labels": {"a": 1, "b": 0, "c": null}}   1 or true, 0 or false, null: not known
// InvalidArgument says what is wrong, never what the line says: data may be about patients.
Result<LabelledImage> ToLabelledImage(const OrderedJson& line);
// {"image": path, "text": text}; the same of errors.
Result<CaptionedImage> ToCaptionedImage(const OrderedJson& line);

}  // namespace galen
