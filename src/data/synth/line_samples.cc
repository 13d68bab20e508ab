#include "data/synth/line_samples.h"

#include <algorithm>
#include <set>

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

}  // namespace

Result<std::vector<LineSample>> LineSamples(const Image& page, int64_t number,
                                            const OrderedJson& fields, const OrderedJson& boxes) {
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
    sample.strip = LineStrip(page, line, StripShape(), typical);
    sample.box = {line.box.left, line.box.top, line.box.right, line.box.bottom, number};
    samples.push_back(std::move(sample));
  }
  return samples;
}

}  // namespace galen
