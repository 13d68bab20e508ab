// How a document looks: fonts, and a named layout with its random details.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/synth/random.h"

namespace galen {

enum class SynthSet { kTrain, kHeldOut, kAll };

// Families that galen knows to be fit for documents, of the packages that tools/install_deps.sh
// names. Held-out ones are for evaluation: no training page has them.
struct FontFamily {
  std::string_view name;
  bool mono = false;
  bool held_out = false;
};
extern const std::array<FontFamily, 19> kFontFamilies;

// Layouts, the held-out ones last.
inline constexpr std::array<std::string_view, 8> kLayouts = {
    "classic", "boxed", "ruled", "centered", "compact", "letter", "band", "typewriter"};
inline constexpr size_t kTrainLayouts = 6;

struct SynthColor {
  double r = 0, g = 0, b = 0;
};

enum class HeadStyle { kLeft, kCentered, kBand, kBoxed, kSplit };
enum class PatientStyle { kTwoColumns, kBox, kLines, kRow };
enum class TitleStyle { kBold, kCaps, kUnderlined, kBand, kInline };
enum class TableStyle { kPlain, kRuled, kGrid, kZebra, kDotted };

struct SynthStyle {
  std::string_view layout;
  double width = 595, height = 842;  // points; A4 or US letter
  double margin = 48;
  std::string body_font, head_font;
  double size = 10;  // points of the body
  double row_pad = 2;
  HeadStyle head = HeadStyle::kLeft;
  PatientStyle patient = PatientStyle::kTwoColumns;
  TitleStyle titles = TitleStyle::kBold;
  TableStyle table = TableStyle::kPlain;
  bool filled_table_head = false;
  bool strong_rows = false;  // abnormal rows in bold
  bool colons = true;        // behind labels
  SynthColor accent;
  bool logo = false, stamp = false, signature = false, footer = true;
};

struct PageShape {
  bool landscape = false;
  bool us_letter = false;  // otherwise A4
  bool brief = false;      // may be a sheet of half the size
};
// families: installed ones of the wanted set, not empty. Mono-spaced fonts come with the typewriter
// layout and, where a set has no other, everywhere.
SynthStyle DrawStyle(const std::vector<FontFamily>& families, SynthSet layouts,
                     const PageShape& shape, Random* random);

}  // namespace galen
