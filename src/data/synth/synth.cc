#include "data/synth/synth.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "base/nearest_name.h"
#include "data/synth/compose.h"
#include "data/synth/content.h"
#include "data/synth/degrade.h"
#include "data/synth/line_samples.h"
#include "data/synth/render.h"
#include "data/synth/scramble.h"
#include "media/image/jpeg_writer.h"
#include "media/image/png_writer.h"

namespace galen {
namespace {

constexpr const char* kTranscriptPrompt = "Transcribe this line.";
constexpr int64_t kMaxCount = 10'000'000;
constexpr int64_t kMinSide = 16, kMaxSide = 8192;  // pixels
constexpr double kPdfLongSide = 842;               // points, of pages that are pictures

// Streams of random numbers: a document says the same at every level.
enum Stream : uint64_t { kContent = 1, kStyle, kCompose, kDegrade, kScramble };

Status CheckName(const char* option, const std::string& name,
                 const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return OkStatus();
  std::string all;
  for (const std::string& k : known) all += (all.empty() ? "" : ", ") + k;
  const std::string nearest = NearestName(name, known);
  return InvalidArgument(std::string(option) + " '" + name + "' is not known" +
                         (nearest.empty() ? "" : "; did you mean '" + nearest + "'?") +
                         " (known: " + all + ")");
}

Status CheckRange(const char* option, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return OkStatus();
  return InvalidArgument(std::string(option) + " is " + std::to_string(value) + ", allowed are " +
                         std::to_string(low) + " to " + std::to_string(high));
}

const char* LevelName(SynthLevel level) {
  switch (level) {
    case SynthLevel::kClean:
      return "clean";
    case SynthLevel::kScan:
      return "scan";
    case SynthLevel::kFax:
      return "fax";
    case SynthLevel::kPhoto:
      return "photo";
    case SynthLevel::kMixed:
      return "mixed";
  }
  return "";
}

int JpegQuality(SynthLevel level, Random* random) {
  switch (level) {
    case SynthLevel::kClean:
      return static_cast<int>(random->Int(88, 95));
    case SynthLevel::kPhoto:
      return static_cast<int>(random->Int(50, 84));
    default:
      return static_cast<int>(random->Int(58, 90));
  }
}

// A page's picture and where its points are in it.
struct Shot {
  Image image;
  Transform to_pixels;
};

}  // namespace

Status CheckSynthOptions(const SynthOptions& o) {
  const std::vector<std::string> kinds(kDocumentKinds.begin(), kDocumentKinds.end());
  if (o.kinds.empty()) return InvalidArgument("--kind names no kind of document");
  for (const std::string& kind : o.kinds) RETURN_IF_ERROR(CheckName("--kind", kind, kinds));
  RETURN_IF_ERROR(CheckName("--language", o.language, {"en", "fr", "de", "all"}));
  RETURN_IF_ERROR(CheckName("--units", o.units, {"conventional", "si", "all"}));
  RETURN_IF_ERROR(CheckRange("--count", o.count, 1, kMaxCount));
  RETURN_IF_ERROR(CheckRange("--long-side", o.long_side, 64, kMaxSide));
  if (o.width != 0 || o.height != 0) {
    RETURN_IF_ERROR(CheckRange("the width of --size", o.width, kMinSide, kMaxSide));
    RETURN_IF_ERROR(CheckRange("the height of --size", o.height, kMinSide, kMaxSide));
  }
  if (o.max_rows != 0 || o.min_rows != 0) {
    RETURN_IF_ERROR(CheckRange("--rows", o.min_rows, 1, 60));
    RETURN_IF_ERROR(CheckRange("--rows", o.max_rows, o.min_rows, 60));
  }
  if (o.strip && (o.kinds.size() != 1 || o.kinds[0] != "lab_report"))
    return InvalidArgument("--strip makes rows of laboratory reports: use --kind lab_report");
  if (o.transcripts && !o.lines)
    return InvalidArgument("--transcripts are of lines: use it with --lines");
  if (o.scramble && !o.words && !o.transcripts) {
    return InvalidArgument(
        "--scramble leaves nothing to extract: use it with --words, or --lines --transcripts");
  }
  if (o.lines && o.words) return InvalidArgument("use --lines or --words, not both");
  if ((o.lines || o.words) && (o.strip || o.format == SynthFormat::kPdf))
    return InvalidArgument(
        "--lines and --words cut pictures of pages: use them without --strip, as png or jpeg");
  return OkStatus();
}

struct SynthGenerator::State {
  SynthOptions options;
  FontSource fonts;
  std::vector<FontFamily> families;

  Result<Shot> Take(const PageList& page, double margin, SynthLevel level, Random* random) const;
};

Result<Shot> SynthGenerator::State::Take(const PageList& page, double margin, SynthLevel level,
                                         Random* random) const {
  const SynthOptions& o = options;
  const double longest = std::max(page.width, page.height);
  const double scale = o.width > 0 ? static_cast<double>(o.width) / page.width
                                   : static_cast<double>(o.long_side) / longest;
  int64_t width = o.width, height = o.height;
  if (o.width == 0) {
    width = std::max<int64_t>(kMinSide, std::llround(page.width * scale));
    height = std::max<int64_t>(kMinSide, std::llround(page.height * scale));
  }
  Shot shot;
  if (level == SynthLevel::kPhoto) {
    if (o.width == 0 && !o.strip) {  // a phone's 3 : 4
      const int64_t shorter = std::llround(static_cast<double>(o.long_side) * 0.75);
      (page.width <= page.height ? width : height) = shorter;
    }
    const auto w = static_cast<double>(width), h = static_cast<double>(height);
    const double fine = 1.15 * std::min(w / page.width, h / page.height);
    const int64_t flat_width = std::llround(page.width * fine);
    const int64_t flat_height = std::llround(page.height * fine);
    ASSIGN_OR_RETURN(const Image flat,
                     RenderPage(page, Transform::Scale(fine), flat_width, flat_height, o.gray));
    const Transform view =
        PhotoView(static_cast<double>(flat_width), static_cast<double>(flat_height), w, h, random);
    shot.image = Photo(flat, view, width, height, random);
    shot.to_pixels = view.After(Transform::Scale(fine));
    return shot;
  }
  shot.to_pixels = Transform::Scale(scale);
  if (level != SynthLevel::kClean) {
    // Skewed around the middle, by no more than the margin allows.
    const double most = std::min(0.028, 1.2 * margin / longest);
    const double angle = std::clamp(random->Normal() * 0.4, -1.0, 1.0) * most;
    const double shift = margin * 0.15;
    const double dx = random->Uniform(-shift, shift), dy = random->Uniform(-shift, shift);
    const double cosine = std::cos(angle), sine = std::sin(angle);
    const double cx = page.width / 2, cy = page.height / 2;
    Transform turn;
    turn.m = {cosine, -sine,  cx - cosine * cx + sine * cy + dx,
              sine,   cosine, cy - sine * cx - cosine * cy + dy,
              0,      0,      1};
    shot.to_pixels = shot.to_pixels.After(turn);
  }
  ASSIGN_OR_RETURN(shot.image, RenderPage(page, shot.to_pixels, width, height, o.gray));
  if (level == SynthLevel::kScan) Scan(&shot.image, random);
  if (level == SynthLevel::kFax) Fax(&shot.image, random);
  return shot;
}

SynthGenerator::SynthGenerator(std::unique_ptr<State> state) : state_(std::move(state)) {}
SynthGenerator::~SynthGenerator() = default;

Result<std::unique_ptr<SynthGenerator>> SynthGenerator::Create(const SynthOptions& options) {
  RETURN_IF_ERROR(CheckSynthOptions(options));
  auto state = std::make_unique<State>();
  state->options = options;
  ASSIGN_OR_RETURN(state->families, state->fonts.Installed(options.fonts));
  return std::unique_ptr<SynthGenerator>(new SynthGenerator(std::move(state)));
}

std::vector<std::string> SynthGenerator::FontNames() const {
  std::vector<std::string> names;
  for (const FontFamily& family : state_->families) names.emplace_back(family.name);
  return names;
}

namespace {

// Boxes as [x0, y0, x1, y1, page], page from 1; (factor) from pixels to the units of the file.
void AddBoxes(const PageList& page, const Transform& map, double width, double height,
              double factor, int64_t number, OrderedJson* boxes) {
  const auto rounded = [](double v) { return std::round(v * 10) / 10; };
  for (const ValueBox& box : page.boxes) {
    double x0 = width, y0 = height, x1 = 0, y1 = 0;
    for (const auto& [x, y] : {map.Map(box.x0, box.y0), map.Map(box.x1, box.y0),
                               map.Map(box.x1, box.y1), map.Map(box.x0, box.y1)}) {
      x0 = std::min(x0, x);
      y0 = std::min(y0, y);
      x1 = std::max(x1, x);
      y1 = std::max(y1, y);
    }
    (*boxes)[box.key] = {rounded(std::max(0.0, x0) * factor), rounded(std::max(0.0, y0) * factor),
                         rounded(std::min(width, x1) * factor),
                         rounded(std::min(height, y1) * factor), number};
  }
}

std::string Bytes(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

// A line of samples.jsonl more: what the images show, asked for by `prompt` and answered.
void AddSample(const std::vector<std::string>& images, const std::string& what,
               const OrderedJson& fields, std::string prompt, std::string* samples) {
  if (const size_t at = prompt.find("{kind}"); at != std::string::npos) prompt.replace(at, 6, what);
  OrderedJson parts = OrderedJson::array();
  for (size_t i = 0; i < images.size(); ++i) parts.push_back({{"type", "image"}});
  parts.push_back({{"type", "text"}, {"text", prompt}});
  if (!samples->empty()) *samples += "\n";
  *samples += OrderedJson({{"images", images},
                           {"messages",
                            {{{"role", "user"}, {"content", std::move(parts)}},
                             {{"role", "assistant"}, {"content", fields.dump()}}}}})
                  .dump();
}

}  // namespace

Result<SynthFiles> SynthGenerator::Make(int64_t index) {
  const SynthOptions& o = state_->options;
  const auto i = static_cast<uint64_t>(index);
  const std::string& kind = o.kinds[i % o.kinds.size()];
  Random content_random(o.seed, i, kContent), style_random(o.seed, i, kStyle);
  Random compose_random(o.seed, i, kCompose), degrade_random(o.seed, i, kDegrade);

  ContentOptions content_options;
  content_options.language = o.language == "all"
                                 ? content_random.Pick(std::vector<std::string>{"en", "fr", "de"})
                                 : o.language;
  content_options.si = o.units == "all" ? content_random.Chance(0.5) : o.units == "si";
  content_options.min_rows = o.min_rows;
  content_options.max_rows = o.max_rows;
  content_options.strip = o.strip;
  content_options.lab_table = static_cast<int>(
      style_random.Int(o.layouts == SynthSet::kHeldOut ? kTrainLabTables : 0,
                       (o.layouts == SynthSet::kTrain ? kTrainLabTables : kLabTables) - 1));
  Content content = MakeContent(kind, content_options, &content_random);
  if (o.scramble) {
    Random letters(o.seed, i, kScramble);
    Scramble(&content, &letters);
  }
  const SynthStyle style =
      DrawStyle(state_->families, o.layouts,
                {content.document.landscape,
                 content_options.language == "en" && !content_options.si, content.document.brief},
                &style_random);
  SynthLevel level = o.level;
  const auto drawn_level = static_cast<SynthLevel>(degrade_random.Int(0, 3));
  if (level == SynthLevel::kMixed) level = drawn_level;

  ComposeOptions compose;
  compose.one_page = o.one_page || o.width > 0;
  if (o.width > 0) compose.aspect = static_cast<double>(o.width) / static_cast<double>(o.height);
  compose.fax_line = level == SynthLevel::kFax;
  const std::vector<PageList> pages =
      ComposePages(content.document, style, compose, &state_->fonts, &compose_random);

  char number[32];
  std::snprintf(number, sizeof(number), "-%06lld", static_cast<long long>(index));
  const std::string stem = (o.strip ? "strip" : kind) + number;
  SynthFiles out;
  out.pages = static_cast<int64_t>(pages.size());
  OrderedJson boxes = OrderedJson::object(), page_list = OrderedJson::array();
  OrderedJson line_list = OrderedJson::array();
  std::vector<PdfPicture> pictures;
  const bool text_pdf = o.format == SynthFormat::kPdf && level == SynthLevel::kClean;
  for (size_t p = 0; p < pages.size(); ++p) {
    const auto page_number = static_cast<int64_t>(p) + 1;
    if (text_pdf) {
      AddBoxes(pages[p], Transform(), pages[p].width, pages[p].height, 1, page_number, &boxes);
      page_list.push_back(
          {{"file", stem + ".pdf"}, {"width", pages[p].width}, {"height", pages[p].height}});
      continue;
    }
    ASSIGN_OR_RETURN(Shot shot, state_->Take(pages[p], style.margin, level, &degrade_random));
    const int quality = JpegQuality(level, &degrade_random);
    const auto width = static_cast<double>(shot.image.width);
    const auto height = static_cast<double>(shot.image.height);
    if (o.format == SynthFormat::kPdf) {
      const double factor = kPdfLongSide / std::max(width, height);
      AddBoxes(pages[p], shot.to_pixels, width, height, factor, page_number, &boxes);
      PdfPicture picture{width * factor, height * factor, shot.image.width, shot.image.height, {}};
      ASSIGN_OR_RETURN(picture.jpeg, EncodeJpeg(shot.image, quality));
      page_list.push_back(
          {{"file", stem + ".pdf"}, {"width", picture.width}, {"height", picture.height}});
      pictures.push_back(std::move(picture));
      continue;
    }
    AddBoxes(pages[p], shot.to_pixels, width, height, 1, page_number, &boxes);
    const bool jpeg = o.format == SynthFormat::kJpeg;
    const std::string page_stem = stem + (p == 0 ? "" : "-p" + std::to_string(page_number));
    const auto add_file = [&](const std::string& name, const Image& image) -> Status {
      ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes,
                       jpeg ? EncodeJpeg(image, quality) : EncodePng(image));
      out.files.push_back({name, Bytes(bytes)});
      return OkStatus();
    };
    const char* const ending = jpeg ? ".jpg" : ".png";
    OrderedJson entry = OrderedJson::object();
    if (o.words) {
      ASSIGN_OR_RETURN(const std::vector<WordSample> words,
                       WordSamples(shot.image, PrintedTexts(pages[p], shot.to_pixels)));
      for (size_t w = 0; w < words.size(); ++w) {
        const std::string name = page_stem + "-w" + std::to_string(w + 1) + ending;
        RETURN_IF_ERROR(add_file(name, words[w].strip));
        AddSample({name}, "", words[w].text, kTranscriptPrompt, &out.sample);
        line_list.push_back({{"file", name}, {"text", words[w].text}});
      }
    } else if (o.lines) {
      ASSIGN_OR_RETURN(std::vector<LineSample> lines,
                       LineSamples(shot.image, page_number, content.fields, boxes,
                                   PrintedTexts(pages[p], shot.to_pixels)));
      for (size_t l = 0; l < lines.size(); ++l) {
        const std::string name = page_stem + "-l" + std::to_string(l + 1) + ending;
        RETURN_IF_ERROR(add_file(name, lines[l].strip));
        if (!o.scramble)
          AddSample({name}, "line of a " + kind, lines[l].fields, o.prompt, &out.sample);
        if (o.transcripts && !lines[l].text.empty())
          AddSample({name}, "", lines[l].text, kTranscriptPrompt, &out.sample);
        line_list.push_back({{"file", name},
                             {"box", std::move(lines[l].box)},
                             {"text", lines[l].text},
                             {"fields", std::move(lines[l].fields)}});
      }
    } else {
      RETURN_IF_ERROR(add_file(page_stem + ending, shot.image));
      entry["file"] = page_stem + ending;
    }
    entry["width"] = shot.image.width;
    entry["height"] = shot.image.height;
    page_list.push_back(std::move(entry));
  }
  if (o.format == SynthFormat::kPdf) {
    ASSIGN_OR_RETURN(std::string bytes, text_pdf ? RenderPdf(pages, content.document.title)
                                                 : PicturePdf(pictures, content.document.title));
    out.files.push_back({stem + ".pdf", std::move(bytes)});
  }
  // Photographs may have no line that is found.
  OrderedJson truth = {{"file", out.files.empty() ? "" : out.files[0].name},
                       {"kind", kind},
                       {"language", content_options.language},
                       {"level", LevelName(level)},
                       {"layout", o.strip ? "strip" : style.layout},
                       {"font", style.body_font},
                       {"pages", std::move(page_list)},
                       {"fields", content.fields},
                       {"boxes", std::move(boxes)}};
  if (o.lines || o.words) truth[o.words ? "words" : "lines"] = std::move(line_list);
  out.truth = truth.dump();
  if (!o.lines && !o.words) {
    std::vector<std::string> names;
    for (const SynthFiles::File& file : out.files) names.push_back(file.name);
    AddSample(names, o.strip ? "lab_rows" : kind, content.fields, o.prompt, &out.sample);
  }
  return out;
}

}  // namespace galen
