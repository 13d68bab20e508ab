#include "data/synth/style.h"

#include <algorithm>

namespace galen {

const std::array<FontFamily, 19> kFontFamilies = {{
    {"DejaVu Sans", false, false},
    {"DejaVu Serif", false, false},
    {"DejaVu Sans Mono", true, false},
    {"Liberation Sans", false, false},
    {"Liberation Serif", false, false},
    {"Liberation Mono", true, false},
    {"Liberation Sans Narrow", false, false},
    {"FreeSans", false, false},
    {"FreeSerif", false, false},
    {"FreeMono", true, false},
    {"Carlito", false, false},
    {"Open Sans", false, false},
    {"Roboto", false, false},
    {"Roboto Condensed", false, true},
    {"Caladea", false, true},
    {"Lato", false, true},
    {"Linux Libertine O", false, true},
    {"Linux Biolinum O", false, true},
    {"Courier Prime", true, true},
}};

namespace {

constexpr SynthColor kAccents[] = {{0, 0, 0},          {0.05, 0.2, 0.45}, {0.1, 0.35, 0.3},
                                   {0.45, 0.08, 0.12}, {0.25, 0.25, 0.3}, {0.0, 0.35, 0.55}};

template <typename T>
T OneOf(std::initializer_list<T> choices, Random* random) {
  return choices.begin()[random->Int(0, static_cast<int64_t>(choices.size()) - 1)];
}

// What makes each layout different from the others; the rest is drawn.
void ApplyLayout(SynthStyle* s, Random* random) {
  if (s->layout == "classic") {
    s->head = HeadStyle::kLeft;
    s->patient = PatientStyle::kTwoColumns;
    s->titles = OneOf({TitleStyle::kBold, TitleStyle::kUnderlined}, random);
    s->table = OneOf({TableStyle::kRuled, TableStyle::kPlain}, random);
  } else if (s->layout == "boxed") {
    s->head = HeadStyle::kBoxed;
    s->patient = PatientStyle::kBox;
    s->titles = TitleStyle::kBold;
    s->table = TableStyle::kGrid;
    s->filled_table_head = random->Chance(0.6);
  } else if (s->layout == "ruled") {
    s->head = HeadStyle::kSplit;
    s->patient = PatientStyle::kRow;
    s->titles = TitleStyle::kUnderlined;
    s->table = TableStyle::kRuled;
  } else if (s->layout == "centered") {
    s->head = HeadStyle::kCentered;
    s->patient = OneOf({PatientStyle::kTwoColumns, PatientStyle::kLines}, random);
    s->titles = TitleStyle::kCaps;
    s->table = OneOf({TableStyle::kZebra, TableStyle::kPlain}, random);
  } else if (s->layout == "compact") {
    s->head = HeadStyle::kSplit;
    s->patient = PatientStyle::kBox;
    s->titles = TitleStyle::kInline;
    s->table = OneOf({TableStyle::kDotted, TableStyle::kZebra}, random);
    s->size = std::min(s->size, 9.0);
    s->margin *= 0.75;
    s->row_pad *= 0.6;
  } else if (s->layout == "letter") {
    s->head = HeadStyle::kLeft;
    s->patient = PatientStyle::kLines;
    s->titles = OneOf({TitleStyle::kBold, TitleStyle::kInline}, random);
    s->table = OneOf({TableStyle::kPlain, TableStyle::kRuled}, random);
    s->margin *= 1.3;
  } else if (s->layout == "band") {
    s->head = HeadStyle::kBand;
    s->patient = PatientStyle::kTwoColumns;
    s->titles = TitleStyle::kBand;
    s->table = OneOf({TableStyle::kZebra, TableStyle::kGrid}, random);
    s->filled_table_head = true;
    if (s->accent.r + s->accent.g + s->accent.b == 0) s->accent = kAccents[1];
  } else {  // typewriter
    s->head = HeadStyle::kCentered;
    s->patient = PatientStyle::kLines;
    s->titles = TitleStyle::kCaps;
    s->table = TableStyle::kPlain;
    s->accent = {};
    s->logo = false;
  }
}

}  // namespace

SynthStyle DrawStyle(const std::vector<FontFamily>& families, SynthSet layouts,
                     const PageShape& shape, Random* random) {
  SynthStyle s;
  const size_t first = layouts == SynthSet::kHeldOut ? kTrainLayouts : 0;
  const size_t last = layouts == SynthSet::kTrain ? kTrainLayouts : kLayouts.size();
  s.layout = kLayouts[static_cast<size_t>(
      random->Int(static_cast<int64_t>(first), static_cast<int64_t>(last) - 1))];
  s.width = shape.us_letter ? 612 : 595;
  s.height = shape.us_letter ? 792 : 842;
  if (shape.landscape) std::swap(s.width, s.height);
  s.margin = random->Uniform(38, 62);
  s.size = random->Uniform(8.6, 11.2);
  s.row_pad = random->Uniform(1.2, 3.6);
  s.strong_rows = random->Chance(0.4);
  s.colons = random->Chance(0.7);
  s.filled_table_head = random->Chance(0.3);
  s.accent = kAccents[random->Int(0, 5)];
  s.logo = random->Chance(0.5);
  s.stamp = random->Chance(0.3);
  s.signature = random->Chance(0.6);
  s.footer = random->Chance(0.8);
  ApplyLayout(&s, random);
  if (shape.brief && random->Chance(0.5)) {  // A5, or half a letter
    const double height = s.width;
    s.width = s.height / 2;
    s.height = height;
    if (random->Chance(0.25)) std::swap(s.width, s.height);
    s.margin *= 0.62;
    s.size *= 0.88;
  }

  const bool want_mono = s.layout == "typewriter";
  std::vector<FontFamily> fit, proportional;
  for (const FontFamily& family : families) {
    if (family.mono == want_mono) fit.push_back(family);
    if (!family.mono) proportional.push_back(family);
  }
  // Now and then a mono-spaced table elsewhere, too: laboratories print them.
  if (fit.empty() || (!want_mono && random->Chance(0.08))) fit = families;
  s.body_font = random->Pick(fit).name;
  s.head_font = !want_mono && !proportional.empty() && random->Chance(0.5)
                    ? random->Pick(proportional).name
                    : std::string_view(s.body_font);
  return s;
}

}  // namespace galen
