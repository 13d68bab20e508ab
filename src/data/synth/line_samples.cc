#include "data/synth/line_samples.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <sstream>

#include "media/document/text_lines.h"

namespace galen {
namespace {

// Whether the line covers the value's box: most of its height, its place, and not more lines.
bool Covers(const PixelBox& line, const OrderedJson& box) {
  const auto at = [&](size_t i) { return box[i].get<double>(); };
  const auto y0 = static_cast<double>(line.top), y1 = static_cast<double>(line.bottom);
  const double height = at(3) - at(1);
  const double common = std::min(y1, at(3)) - std::max(y0, at(1));
  const double middle = (at(0) + at(2)) / 2;
  return common > 0.5 * height && height < 1.8 * (y1 - y0) &&
         middle >= static_cast<double>(line.left) && middle <= static_cast<double>(line.right);
}

class Fragment {
 public:
  Fragment(const OrderedJson& boxes, const std::set<std::string>& printed)
      : boxes_(boxes), printed_(printed) {}

  // What the line prints of `value`; discarded (null) if nothing. in_list: of a list's entry.
  OrderedJson Of(const OrderedJson& value, const std::string& pointer, bool in_list) const {
    if (value.is_array()) {
      OrderedJson part = OrderedJson::array();
      for (size_t i = 0; i < value.size(); ++i) {
        OrderedJson entry = Of(value[i], pointer + "/" + std::to_string(i), true);
        if (!entry.is_null()) part.push_back(std::move(entry));
      }
      return part.empty() ? OrderedJson() : part;
    }
    if (value.is_object()) {
      OrderedJson part = OrderedJson::object();
      bool any = false;
      for (const auto& [name, child] : value.items()) {
        const std::string at = pointer + "/" + name;
        OrderedJson found = Of(child, at, false);
        const bool here = !found.is_null();
        any = any || here;
        // The page prints it nowhere: it is implied.
        if (!here && in_list && !child.is_structured() && !boxes_.contains(at)) found = child;
        if (here || in_list) part[name] = std::move(found);
      }
      return any ? part : OrderedJson();
    }
    return printed_.count(pointer) > 0 ? value : OrderedJson();
  }

 private:
  const OrderedJson& boxes_;
  const std::set<std::string>& printed_;
};

void SortByPlace(std::vector<PrintedText>* texts) {
  std::stable_sort(
      texts->begin(), texts->end(),
      [](const PrintedText& a, const PrintedText& b) { return a.box.left < b.box.left; });
}

// texts: from left to right.
std::string TextOf(const PixelBox& line, const std::vector<PrintedText>& texts) {
  std::string all;
  for (const PrintedText& text : texts) {
    const int64_t common =
        std::min(line.bottom, text.box.bottom) - std::max(line.top, text.box.top);
    if (common <= 0 || text.box.right <= line.left || text.box.left >= line.right) continue;
    const int64_t height = std::min(line.bottom - line.top, text.box.bottom - text.box.top);
    if (2 * common < height) continue;
    if (!text.one_line) return "";
    all += (all.empty() ? "" : " ") + text.text;
  }
  // Gaps are not print: one blank for each.
  all.erase(std::unique(all.begin(), all.end(), [](char a, char b) { return a == ' ' && b == ' '; }),
            all.end());
  return all;
}

}  // namespace

std::vector<PrintedText> PrintedTexts(const PageList& page, const Transform& to_pixels) {
  std::vector<PrintedText> texts;
  for (const TextItem& item : page.texts) {
    PangoRectangle ink;
    pango_layout_get_extents(item.layout.get(), &ink, nullptr);
    const auto at = [&](int x, int y) {
      return to_pixels.Map(item.x + static_cast<double>(x) / PANGO_SCALE,
                           item.y + static_cast<double>(y) / PANGO_SCALE);
    };
    double x0 = 1e9, y0 = 1e9, x1 = -1e9, y1 = -1e9;
    for (const auto& [x, y] : {at(ink.x, ink.y), at(ink.x + ink.width, ink.y),
                               at(ink.x, ink.y + ink.height),
                               at(ink.x + ink.width, ink.y + ink.height)}) {
      x0 = std::min(x0, x);
      y0 = std::min(y0, y);
      x1 = std::max(x1, x);
      y1 = std::max(y1, y);
    }
    texts.push_back({pango_layout_get_text(item.layout.get()),
                     {std::llround(x0), std::llround(y0), std::llround(x1), std::llround(y1)},
                     pango_layout_get_line_count(item.layout.get()) == 1});
  }
  return texts;
}

Result<std::vector<WordSample>> WordSamples(const Image& page, std::vector<PrintedText> texts) {
  SortByPlace(&texts);
  ASSIGN_OR_RETURN(const std::vector<TextLine> lines, FindTextLines(page));
  const int64_t typical = TypicalHeight(lines);
  std::vector<WordSample> samples;
  for (const TextLine& line : lines) {
    std::istringstream text(TextOf(line.box, texts));
    const std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
    if (words.size() != line.words.size()) continue;
    for (size_t i = 0; i < words.size(); ++i) {
      TextLine word = {line.box, {line.words[i]}};
      word.box.left = line.words[i].left;
      word.box.right = line.words[i].right;
      samples.push_back({LineStrip(page, word, StripShape(), typical), words[i]});
    }
  }
  return samples;
}

Result<std::vector<LineSample>> LineSamples(const Image& page, int64_t number,
                                            const OrderedJson& fields, const OrderedJson& boxes,
                                            std::vector<PrintedText> texts) {
  SortByPlace(&texts);
  ASSIGN_OR_RETURN(const std::vector<TextLine> lines, FindTextLines(page));
  const int64_t typical = TypicalHeight(lines);
  std::vector<LineSample> samples;
  for (const TextLine& line : lines) {
    std::set<std::string> printed;
    for (const auto& [pointer, box] : boxes.items()) {
      if (box[4] == number && Covers(line.box, box)) printed.insert(pointer);
    }
    LineSample sample;
    sample.fields = Fragment(boxes, printed).Of(fields, "", false);
    if (sample.fields.is_null()) sample.fields = OrderedJson::object();
    sample.text = TextOf(line.box, texts);
    sample.strip = LineStrip(page, line, StripShape(), typical);
    sample.box = {line.box.left, line.box.top, line.box.right, line.box.bottom, number};
    samples.push_back(std::move(sample));
  }
  return samples;
}

}  // namespace galen
