// Pages cut into lines of print, each with what of the truth stands on it: what a reader that takes
// a page line by line learns from.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "media/image/image.h"
#include "text/template/chat_template.h"

namespace galen {

struct LineSample {
  Image strip;         // LineStrip's
  OrderedJson fields;  // the part of the document's fields that the line prints
  OrderedJson box;     // [x0, y0, x1, y1, page], pixels
};

// boxes: pointers into fields to [x0, y0, x1, y1, page] in pixels of the page's picture, as in
// truth.jsonl. A line prints a value whose box it covers: a value of several lines belongs to none.
// Of an entry of a list, the other values are null there, or, where the page prints them nowhere,
// the truth's.
Result<std::vector<LineSample>> LineSamples(const Image& page, int64_t number,
                                            const OrderedJson& fields, const OrderedJson& boxes);

}  // namespace galen
