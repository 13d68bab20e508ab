#include "data/synth/compose.h"

#include <glib.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "data/synth/composer.h"
#include "data/synth/replace.h"

namespace galen {
namespace {

constexpr SynthColor kGrey = {0.35, 0.35, 0.35};
constexpr SynthColor kStampInks[] = {{0.7, 0.1, 0.12}, {0.1, 0.2, 0.6}, {0.05, 0.4, 0.2}};

std::string Upper(const std::string& text) {
  char* upper = g_utf8_strup(text.data(), static_cast<gssize>(text.size()));
  std::string result = upper;
  g_free(upper);
  return result;
}

class Writer {
 public:
  Writer(const SynthDocument& document, const SynthStyle& style, FontSource* fonts, Random* random)
      : d_(document), s_(style), c_(style, fonts), fonts_(fonts), random_(*random) {}

  std::vector<PageList> Run(bool fax_line) {
    Head();
    Patient();
    for (const Block& block : d_.blocks) WriteBlock(block);
    Signature();
    if (s_.stamp) Stamp();
    Footers();
    if (fax_line) FaxLines();
    return std::move(c_.pages());
  }

 private:
  std::string Label(const std::string& label) const { return s_.colons ? label + ":" : label; }

  void Logo(double x, double y, double size) {
    PageList& page = c_.page();
    const SynthColor ink = s_.accent;
    if (random_.Chance(0.5)) {  // a cross
      page.rects.push_back({x + size * 0.35, y, size * 0.3, size, ink, 0});
      page.rects.push_back({x, y + size * 0.35, size, size * 0.3, ink, 0});
    } else {  // bars
      for (int i = 0; i < 3; ++i) {
        const double height = size * (0.45 + 0.27 * i);
        page.rects.push_back({x + size * 0.36 * i, y + size - height, size * 0.26, height, ink, 0});
      }
    }
  }

  std::string Address() const {
    std::string text;
    for (const std::string& line : d_.address) text += (text.empty() ? "" : "  ·  ") + line;
    return text;
  }

  void Head() {
    TextLook name = {true, 1.45, true, s_.accent};
    TextLook small = {false, 0.82, false, kGrey};
    const double top = c_.y();
    double x = c_.left();
    double width = c_.width();
    const double logo = s_.size * 2.6;
    Align align = Align::kLeft;
    switch (s_.head) {
      case HeadStyle::kBand: {
        // On top of everything, to the edges of the page.
        name.color = small.color = {1, 1, 1};
        const double height = s_.size * 4.2;
        c_.page().rects.push_back({0, 0, s_.width, s_.margin * 0.4 + height, s_.accent, 0});
        c_.set_y(s_.margin * 0.4);
        c_.Write(d_.institution, name, x, width);
        c_.Write(Address(), small);
        c_.set_y(s_.margin * 0.4 + height + s_.size);
        break;
      }
      case HeadStyle::kCentered:
        align = Align::kCenter;
        [[fallthrough]];
      case HeadStyle::kLeft:
        if (s_.logo && align == Align::kLeft) {
          Logo(x, top, logo);
          x += logo * 1.35;
          width -= logo * 1.35;
        }
        c_.Write(d_.institution, name, x, width, align);
        {
          const SpanText address = {{Address(), ""}};
          c_.Write(address, small, x, width, align);
        }
        c_.Space(s_.size * 0.6);
        if (s_.logo) c_.Rule(c_.y(), 1.2, s_.accent);
        c_.Space(s_.size * 0.6);
        break;
      case HeadStyle::kBoxed: {
        const double pad = s_.size * 0.7;
        c_.Space(pad);
        c_.Write(d_.institution, name, x + pad, width - 2 * pad);
        const SpanText address = {{Address(), ""}};
        c_.Write(address, small, x + pad, width - 2 * pad);
        c_.Space(pad);
        c_.page().rects.push_back({x, top, width, c_.y() - top, s_.accent, 1.0});
        c_.Space(s_.size * 0.8);
        break;
      }
      case HeadStyle::kSplit: {
        c_.Write(d_.institution, name, x, width * 0.58);
        const double below = c_.y();
        c_.set_y(top);
        for (const std::string& line : d_.address) {
          const SpanText spans = {{line, ""}};
          c_.Write(spans, small, x + width * 0.6, width * 0.4, Align::kRight);
        }
        c_.set_y(std::max(below, c_.y()) + s_.size * 0.3);
        c_.Rule(c_.y(), 0.8, s_.accent);
        c_.Space(s_.size * 0.6);
        break;
      }
    }
    const bool centered = s_.head == HeadStyle::kCentered || random_.Chance(0.25);
    const bool upper = s_.titles == TitleStyle::kCaps;
    c_.Write(upper ? Upper(d_.title) : d_.title, {true, 1.3, true, {}},
             centered ? Align::kCenter : Align::kLeft);
    c_.Space(s_.size * 0.6);
  }

  // Labels and values below each other, in columns of their own.
  void FieldColumn(const std::vector<LabelledText>& fields, double x, double width) {
    double label_width = 0;
    for (const LabelledText& field : fields) {
      label_width =
          std::max(label_width, c_.Shape(Label(field.label), {false, 1, false, {}}).width);
    }
    label_width = std::min(label_width, width * 0.55) + 8;
    for (const LabelledText& field : fields) {
      Shaped label = c_.Shape(Label(field.label), {false, 1, false, {}}, label_width - 4);
      Shaped value = c_.Shape(field.value, {false, 1, s_.titles == TitleStyle::kInline, {}},
                              width - label_width);
      const double height = std::max(label.height, value.height);
      c_.Ensure(height);
      c_.Place(std::move(label), x, c_.y(), kGrey);
      c_.Place(std::move(value), x + label_width, c_.y());
      c_.Space(height + 1.5);
    }
  }

  // One behind the other as long as the line lasts.
  void FieldRow(const std::vector<LabelledText>& fields) {
    double x = c_.left(), line = 0;
    for (const LabelledText& field : fields) {
      Shaped label = c_.Shape(Label(field.label) + " ", {false, 1, false, {}});
      Shaped value = c_.Shape(field.value, {false, 1, true, {}});
      const double width = label.width + 3 + value.width;
      if (width > c_.width()) {  // too long for a line
        if (x > c_.left()) c_.Space(line + 2);
        FieldColumn({field}, c_.left(), c_.width());
        x = c_.left();
        continue;
      }
      if (x + width > c_.right()) {
        c_.Space(line + 2);
        x = c_.left();
      }
      if (x == c_.left()) c_.Ensure(value.height);
      line = std::max(label.height, value.height);
      const double value_x = x + label.width + 3;
      c_.Place(std::move(label), x, c_.y(), kGrey);
      c_.Place(std::move(value), value_x, c_.y());
      x += width + s_.size * 1.8;
    }
    if (x > c_.left()) c_.Space(line + 2);
  }

  void Patient() {
    const double top = c_.y();
    switch (s_.patient) {
      case PatientStyle::kRow: {
        FieldRow(d_.patient);
        FieldRow(d_.details);
        c_.Space(s_.size * 0.2);
        c_.Rule(c_.y(), 0.5, kGrey);
        break;
      }
      case PatientStyle::kLines: {
        std::vector<LabelledText> all = d_.patient;
        all.insert(all.end(), d_.details.begin(), d_.details.end());
        FieldColumn(all, c_.left(), c_.width());
        break;
      }
      case PatientStyle::kBox:
      case PatientStyle::kTwoColumns: {
        const double pad = s_.patient == PatientStyle::kBox ? s_.size * 0.6 : 0;
        const double half = c_.width() / 2 - pad - 6;
        c_.Space(pad);
        const double begin = c_.y();
        FieldColumn(d_.patient, c_.left() + pad, half);
        const double below = c_.y();
        c_.set_y(begin);
        FieldColumn(d_.details, c_.left() + c_.width() / 2 + 6, half);
        c_.set_y(std::max(below, c_.y()) + pad);
        if (pad > 0)
          c_.page().rects.push_back({c_.left(), top, c_.width(), c_.y() - top, kGrey, 0.7});
        break;
      }
    }
    c_.Space(s_.size * 0.9);
  }

  void BlockTitle(const std::string& title) {
    if (title.empty()) return;
    c_.Ensure(s_.size * 5);
    const double top = c_.y();
    const TextLook look = {true, 1.08, true, s_.accent};
    switch (s_.titles) {
      case TitleStyle::kCaps:
        c_.Write(Upper(title), {true, 0.95, true, s_.accent});
        break;
      case TitleStyle::kBand: {
        const double height = s_.size * 1.9;
        c_.page().rects.push_back({c_.left(), top, c_.width(), height, {0.87, 0.9, 0.94}, 0});
        c_.Space(s_.size * 0.2);
        const SpanText spans = {{title, ""}};
        c_.Write(spans, look, c_.left() + 5, c_.width() - 10);
        c_.set_y(top + height + 2);
        break;
      }
      case TitleStyle::kUnderlined:
        c_.Write(title, look);
        c_.Rule(c_.y() + 0.5, 0.7, s_.accent);
        c_.Space(3);
        break;
      default:
        c_.Write(title, look);
    }
    c_.Space(1.5);
  }

  void WriteBlock(const Block& block) {
    const TextLook body;
    if (block.kind == Block::Kind::kParagraph && s_.titles == TitleStyle::kInline &&
        !block.title.empty()) {
      SpanText text = {{block.title + ": ", ""}};
      text.insert(text.end(), block.items[0].begin(), block.items[0].end());
      Shaped shaped = c_.Shape(text, body, c_.width());
      PangoAttrList* attributes = pango_attr_list_new();
      PangoAttribute* bold = pango_attr_weight_new(PANGO_WEIGHT_BOLD);
      bold->start_index = 0;
      bold->end_index = static_cast<guint>(block.title.size() + 1);
      pango_attr_list_insert(attributes, bold);
      pango_layout_set_attributes(shaped.layout.get(), attributes);
      pango_attr_list_unref(attributes);
      PangoRectangle logical;
      pango_layout_get_extents(shaped.layout.get(), nullptr, &logical);
      const double height = static_cast<double>(logical.height) / PANGO_SCALE;
      c_.Ensure(height);
      c_.Place(std::move(shaped), c_.left(), c_.y());
      c_.Space(height + s_.size * 0.6);
      return;
    }
    BlockTitle(block.title);
    switch (block.kind) {
      case Block::Kind::kParagraph:
        c_.Write(block.items[0], body, c_.left(), c_.width());
        break;
      case Block::Kind::kList:
        List(block);
        break;
      case Block::Kind::kTable:
        c_.Table(block);
        break;
      case Block::Kind::kFields:
        if (s_.patient == PatientStyle::kRow || s_.titles == TitleStyle::kInline) {
          FieldRow(block.fields);
        } else {
          FieldColumn(block.fields, c_.left(), c_.width());
        }
        break;
    }
    c_.Space(s_.size * 0.9);
  }

  void List(const Block& block) {
    const double indent = s_.size * 1.7;
    for (size_t i = 0; i < block.items.size(); ++i) {
      Shaped mark =
          c_.Shape(block.numbered ? std::to_string(i + 1) + "." : std::string("•"), TextLook());
      Shaped text = c_.Shape(block.items[i], TextLook(), c_.width() - indent);
      const double height = text.height;
      c_.Ensure(height);
      c_.Place(std::move(mark), c_.left() + indent * 0.25, c_.y());
      c_.Place(std::move(text), c_.left() + indent, c_.y());
      c_.Space(height + s_.row_pad * 0.8);
    }
  }

  void Signature() {
    if (d_.author.empty()) return;
    c_.Space(s_.size);
    c_.Ensure(s_.size * (s_.signature ? 5.5 : 2.5));
    const bool right = random_.Chance(0.4);
    const double x = right ? c_.left() + c_.width() * 0.55 : c_.left();
    const double width = c_.width() * 0.45;
    if (s_.signature) {
      Scribble(x + 6, c_.y() + s_.size * 1.4, width * 0.5);
      c_.Space(s_.size * 2.8);
      c_.page().lines.push_back({x, c_.y(), x + width * 0.85, c_.y(), 0.5, kGrey, false});
      c_.Space(2);
    }
    SpanText text = {{Label(d_.signature_label) + " ", ""}};
    text.insert(text.end(), d_.author.begin(), d_.author.end());
    c_.Write(text, TextLook(), x, width);
    if (!d_.legend.empty()) {
      c_.Space(s_.size * 0.7);
      c_.Write(d_.legend, {false, 0.78, false, kGrey});
    }
  }

  void Scribble(double x, double y, double width) {
    StrokeItem stroke;
    stroke.width = random_.Uniform(0.8, 1.5);
    stroke.color = random_.Chance(0.6) ? SynthColor{0.08, 0.1, 0.4} : SynthColor{0.1, 0.1, 0.1};
    const double height = s_.size * 1.2;
    stroke.points.emplace_back(x, y);
    const int64_t loops = random_.Int(4, 8);
    for (int64_t i = 1; i <= loops; ++i) {
      const double to = x + width * static_cast<double>(i) / static_cast<double>(loops);
      for (int k = 0; k < 3; ++k) {
        const double back = k < 2 ? random_.Uniform(-0.12, 0.06) * width : 0;
        stroke.points.emplace_back(to + back,
                                   y + random_.Uniform(-1, 1) * height * (k < 2 ? 1 : 0.3));
      }
    }
    c_.page().strokes.push_back(std::move(stroke));
  }

  void Stamp() {
    PageList& page = c_.pages().front();
    StampItem stamp;
    stamp.layout =
        fonts_->Layout(d_.stamp, s_.head_font, s_.size * random_.Uniform(1.4, 2.0), true);
    // Ink over the upper right or the lower part of the page; it may touch text, as stamps do.
    stamp.x = s_.width * random_.Uniform(0.62, 0.8);
    stamp.y = s_.height *
              (random_.Chance(0.5) ? random_.Uniform(0.06, 0.16) : random_.Uniform(0.78, 0.9));
    stamp.angle = random_.Uniform(-0.35, 0.2);
    stamp.color =
        random_.Pick(std::vector<SynthColor>(std::begin(kStampInks), std::end(kStampInks)));
    stamp.opacity = random_.Uniform(0.3, 0.55);
    stamp.round = random_.Chance(0.3);
    page.stamps.push_back(std::move(stamp));
  }

  void Footers() {
    std::vector<PageList>& pages = c_.pages();
    const double y = s_.height - s_.margin * 0.62;
    for (size_t i = 0; i < pages.size(); ++i) {
      std::string text = s_.footer || pages.size() > 1 ? d_.page_of : "";
      ReplaceFirst(&text, "{a}", std::to_string(i + 1));
      ReplaceFirst(&text, "{b}", std::to_string(pages.size()));
      if (!text.empty()) Small(&pages[i], text, y, 1);
      Small(&pages[i], d_.notice, y, 0);
    }
  }

  // where: 0 left, 1 right.
  void Small(PageList* page, const std::string& text, double y, double where) {
    Shaped shaped = c_.Shape(text, {false, 0.72, false, {}});
    page->texts.push_back(
        {std::move(shaped.layout), c_.left() + where * (c_.width() - shaped.width), y, kGrey});
  }

  void FaxLines() {
    std::vector<PageList>& pages = c_.pages();
    char from[64];
    std::snprintf(from, sizeof(from), "%02d:%02d  FAX +99 555 %06d",
                  static_cast<int>(random_.Int(7, 19)), static_cast<int>(random_.Int(0, 59)),
                  static_cast<int>(random_.Int(0, 999999)));
    for (size_t i = 0; i < pages.size(); ++i) {
      const std::string text =
          std::string(from) + "   P. " + std::to_string(i + 1) + "/" + std::to_string(pages.size());
      LayoutPtr layout = fonts_->Layout(text, "DejaVu Sans Mono", 7.5, false);
      pages[i].texts.push_back({std::move(layout), c_.left(), s_.margin * 0.25, {}});
    }
  }

  const SynthDocument& d_;
  const SynthStyle& s_;
  Composer c_;
  FontSource* fonts_;
  Random& random_;
};

// The rows of a strip with a narrow margin; aspect 0: as high as they are.
std::vector<PageList> ComposeStrip(const SynthDocument& document, SynthStyle style, double aspect,
                                   FontSource* fonts, Random* random) {
  Block block = document.blocks.at(0);
  for (TableColumn& column : block.columns) column.title.clear();
  style.height = 1e6;
  style.margin = random->Uniform(2, 7);
  style.width = 4000;
  const double natural = Composer(style, fonts).NaturalTableWidth(block);
  style.width = natural * random->Uniform(1.01, 1.2) + 2 * style.margin;
  double rows_height = 0;
  {
    Composer measure(style, fonts);
    measure.Table(block);
    rows_height = measure.y() - style.margin;
  }
  double height = rows_height + 2 * style.margin;
  if (aspect > 0) {
    // Room is added where the shape asks for it, never taken away.
    style.width = std::max(style.width, height * aspect);
    height = style.width / aspect;
  }
  Composer composer(style, fonts);
  composer.set_y(style.margin + random->Uniform() * (height - rows_height - 2 * style.margin));
  composer.Table(block);
  composer.page().height = height;
  return std::move(composer.pages());
}

}  // namespace

std::vector<PageList> ComposePages(const SynthDocument& document, const SynthStyle& style,
                                   const ComposeOptions& options, FontSource* fonts,
                                   Random* random) {
  if (document.strip) return ComposeStrip(document, style, options.aspect, fonts, random);
  SynthStyle s = style;
  if (options.aspect > 0) s.height = s.width / options.aspect;
  constexpr double kShrink = 0.92, kSmallest = 0.5;
  for (double scale = 1;; scale *= kShrink) {
    Random copy = *random;  // each try draws the same
    std::vector<PageList> pages = Writer(document, s, fonts, &copy).Run(options.fax_line);
    if (!options.one_page || pages.size() == 1 || scale * kShrink < kSmallest) {
      *random = copy;
      return pages;
    }
    s.size *= kShrink;
    s.row_pad *= kShrink;
    s.margin = std::max(18.0, s.margin * kShrink);
  }
}

}  // namespace galen
