// Pages cut into lines of print, each with what of the truth stands on it: what a reader that takes
// a page line by line learns from.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "data/synth/page_list.h"
#include "data/synth/transform.h"
#include "media/image/image.h"
#include "media/image/pixel_box.h"
#include "text/template/chat_template.h"

namespace galen {

struct LineSample {
  Image strip;         // LineStrip's
  OrderedJson fields;  // the part of the document's fields that the line prints
  std::string text;    // all that it prints, from left to right; empty where that is not known
  OrderedJson box;     // [x0, y0, x1, y1, page], pixels
};

struct WordSample {
  Image strip;
  std::string text;
};

// A text of the page, as it was laid out.
struct PrintedText {
  std::string text;
  PixelBox box;
  bool one_line = true;  // false: broken into several
};

// Around their ink.
std::vector<PrintedText> PrintedTexts(const PageList& page, const Transform& to_pixels);

// boxes: pointers into fields to [x0, y0, x1, y1, page] in pixels of the page's picture, as in
// truth.jsonl. A line prints a value whose box it covers: a value of several lines belongs to none.
// Of an entry of a list, the other values are null there, or, where the page prints them nowhere,
// the truth's. texts: all of the page, in pixels; a line that a text of several
// lines crosses has no text.
Result<std::vector<LineSample>> LineSamples(const Image& page, int64_t number,
                                            const OrderedJson& fields, const OrderedJson& boxes,
                                            std::vector<PrintedText> texts);

// The words of the lines whose text has as many words as their ink has pieces; of other lines it is
// not known which is which.
Result<std::vector<WordSample>> WordSamples(const Image& page, std::vector<PrintedText> texts);

}  // namespace galen
