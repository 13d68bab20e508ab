#include "media/dicom/render.h"

#include <algorithm>
#include <cmath>

#include "media/dicom/colour.h"
#include "media/dicom/dicom_info.h"
#include "media/dicom/frame_groups.h"

namespace galen::dicom {
namespace {

uint8_t ToByte(double fraction) {
  return static_cast<uint8_t>(std::floor(std::clamp(fraction, 0.0, 1.0) * 255.0 + 0.5));
}

// How a value in physical units becomes a share of white.
struct Voi {
  const LookupTable* table = nullptr;
  DicomWindow window;
  bool range = false;  // window.center and width are the ends of a plain ramp
  double low = 0, high = 1;

  double operator()(double x) const {
    if (table != nullptr) return table->At(x) / table->Top();
    if (!range) return window.Fraction(x);
    return high > low ? (x - low) / (high - low) : 0;
  }
};

std::string Nth(const char* what, int64_t i, size_t n) {
  return std::string(what) + " " + std::to_string(i + 1) + " of " + std::to_string(n);
}

void SetRange(double low, double high, Voi* voi, RenderReport* report) {
  voi->range = true;
  voi->low = low;
  voi->high = high;
  if (high > low)
    report->window = DicomWindow{(low + high) / 2, high - low, WindowFunction::kLinearExact};
}

Status ChooseVoi(const StoredFrame& frame, const DataSet& data_set,
                 const ModalityTransform& modality, const VoiTransforms& found,
                 const RenderOptions& options, Voi* voi, RenderReport* report) {
  if (options.window) {
    voi->window = *options.window;
    const bool usable = voi->window.function == WindowFunction::kLinear ? voi->window.width >= 1
                                                                        : voi->window.width > 0;
    if (!usable || !std::isfinite(voi->window.center))
      return InvalidArgument("the given window has a width that cannot be");
    report->voi = "given window";
    report->window = voi->window;
    return OkStatus();
  }
  const bool use_table =
      !found.tables.empty() && !(options.prefer_window && !found.windows.empty());
  const size_t count = use_table ? found.tables.size() : found.windows.size();
  if (count > 0) {
    if (options.voi_index < 0 || static_cast<size_t>(options.voi_index) >= count) {
      return InvalidArgument("VOI " + std::to_string(options.voi_index + 1) +
                             " was asked for, the image has " + std::to_string(count));
    }
    const size_t index = static_cast<size_t>(options.voi_index);
    report->voi = Nth(use_table ? "table" : "window", options.voi_index, count);
    if (use_table) {
      voi->table = &found.tables[index];
    } else {
      voi->window = found.windows[index];
      report->window = voi->window;
    }
    return OkStatus();
  }
  const GreyRange range = DefaultRange(frame, data_set, modality);
  report->voi = range.name;
  SetRange(range.low, range.high, voi, report);
  return OkStatus();
}

Result<Image> RenderGrey(const StoredFrame& frame, const DataSet& data_set, int64_t i,
                         const RenderOptions& options, RenderReport* report) {
  const auto [modality, found] = ReadGreyTransforms(frame, data_set, i, &report->warnings);
  Voi voi;
  RETURN_IF_ERROR(ChooseVoi(frame, data_set, modality, found, options, &voi, report));
  report->colour = "grey";
  report->inverted = IsInverted(frame, data_set, &report->warnings);
  Image image;
  image.width = frame.columns;
  image.height = frame.rows;
  image.channels = 1;
  const bool inverted = report->inverted;
  const ModalityTransform& physical = modality;
  image.pixels = MapSamples<uint8_t>(frame, [&](double stored) {
    const uint8_t value = ToByte(voi(physical(stored)));
    return static_cast<uint8_t>(inverted ? 255 - value : value);
  });
  return image;
}

Result<Image> RenderPalette(const StoredFrame& frame, const DataSet& data_set,
                            RenderReport* report) {
  const bool is_signed = frame.type == SampleType::kInt8 || frame.type == SampleType::kInt16;
  ASSIGN_OR_RETURN(const Palette palette, ReadPalette(data_set, is_signed));
  report->colour = "palette";
  Image image;
  image.width = frame.columns;
  image.height = frame.rows;
  image.channels = 3;
  image.pixels.resize(static_cast<size_t>(frame.values()) * 3);
  const LookupTable* tables[] = {&palette.red, &palette.green, &palette.blue};
  for (size_t c = 0; c < 3; ++c) {
    const LookupTable& table = *tables[c];
    const int shift =
        table.bits - 8;  // 16-bit entries: the high byte, as PS3.3 C.7.6.3.1.6 scales them
    const std::vector<uint8_t> channel = MapSamples<uint8_t>(
        frame, [&](double stored) { return static_cast<uint8_t>(table.At(stored) >> shift); });
    for (size_t p = 0; p < channel.size(); ++p) image.pixels[3 * p + c] = channel[p];
  }
  return image;
}

Result<Image> RenderColour(const StoredFrame& frame, RenderReport* report) {
  if (IsSigned(frame)) return Unsupported("colour image of signed samples");
  Image image;
  image.width = frame.columns;
  image.height = frame.rows;
  image.channels = 3;
  if (frame.bits_stored == 8 && frame.type == SampleType::kUint8) {
    image.pixels = frame.data;
  } else {
    const double top = std::ldexp(1, frame.bits_stored) - 1;
    image.pixels = MapSamples<uint8_t>(frame, [&](double stored) { return ToByte(stored / top); });
  }
  report->colour = "RGB";
  if (frame.photometric == "YBR_FULL" || frame.photometric == "YBR_FULL_422") {
    report->colour = "YBR to RGB";
    YbrToRgb(image.pixels);
  } else if (frame.photometric != "RGB") {
    return Unsupported(
        "colour image in a colour space that galen does not convert (RGB, YBR_FULL, YBR_FULL_422, "
        "YBR_RCT and "
        "YBR_ICT are read)");
  }
  return image;
}

}  // namespace

bool IsSigned(const StoredFrame& frame) {
  return frame.type == SampleType::kInt8 || frame.type == SampleType::kInt16 ||
         frame.type == SampleType::kInt32;
}

GreyTransforms ReadGreyTransforms(const StoredFrame& frame, const DataSet& data_set, int64_t i,
                                  DicomWarnings* warnings) {
  const bool is_signed = IsSigned(frame);
  GreyTransforms found;
  found.modality =
      ReadModality(GroupOrTop(data_set, i, kValueTransformations), is_signed, warnings);
  // The input of a VOI table is what the modality gives: unsigned after a table, signed where a
  // rescale can go below zero.
  const bool voi_signed = !found.modality.table && (is_signed || found.modality.intercept < 0);
  found.voi = ReadVoi(GroupOrTop(data_set, i, kFrameVoiLuts), voi_signed, warnings);
  return found;
}

GreyRange DefaultRange(const StoredFrame& frame, const DataSet& data_set,
                       const ModalityTransform& modality) {
  GreyRange range;
  const bool is_float = frame.type == SampleType::kFloat32 || frame.type == SampleType::kFloat64;
  if (!is_float && frame.bits_stored <= 8) {
    const double low = IsSigned(frame) ? -std::ldexp(1, frame.bits_stored - 1) : 0;
    const double high = low + std::ldexp(1, frame.bits_stored) - 1;
    range.name = "stored range";
    range.low = modality.table ? 0 : modality(low);
    range.high = modality.table ? modality.table->Top() : modality(high);
    if (range.low > range.high) std::swap(range.low, range.high);
    return range;
  }
  DicomInfo padding;
  padding.format.is_signed = frame.type == SampleType::kInt16 || frame.type == SampleType::kInt32;
  DescribePadding(data_set, &padding);
  range.name = "frame range";
  PhysicalRange(frame, modality, padding.padding_low, padding.padding_high, &range.low,
                &range.high);
  return range;
}

bool IsInverted(const StoredFrame& frame, const DataSet& data_set, DicomWarnings* warnings) {
  const bool first = frame.photometric == "MONOCHROME1";
  const std::string shape = data_set.Text(kPresentationShape);
  if ((first && shape == "IDENTITY") || (!first && shape == "INVERSE")) {
    warnings->push_back({"presentation-shape",
                         "photometric interpretation and presentation shape disagree; " +
                             std::string(first ? "MONOCHROME1" : "INVERSE") + " is followed"});
  }
  return first || shape == "INVERSE";
}

Status CheckGrey(const StoredFrame& frame, const DataSet& data_set, DicomWarnings* warnings) {
  if (frame.photometric != "MONOCHROME1" && frame.photometric != "MONOCHROME2") {
    return Unsupported(
        "grey image whose photometric interpretation is neither MONOCHROME1 nor MONOCHROME2 nor "
        "PALETTE COLOR");
  }
  if (data_set.Has(kPresentationLuts)) {
    warnings->push_back({"presentation-lut", "a presentation table of the object is not applied"});
  }
  const std::string presentation = data_set.Text(kPixelPresentation);
  if (presentation == "COLOR" || presentation == "MIXED") {
    warnings->push_back(
        {"supplemental-palette", "colour that the object adds to some grey values is not shown"});
  }
  return OkStatus();
}

bool PhysicalRange(const StoredFrame& frame, const ModalityTransform& modality,
                   std::optional<int64_t> padding_low, std::optional<int64_t> padding_high,
                   double* low, double* high) {
  bool any = false;
  VisitSamples(frame, [&](auto values) {
    for (const auto value : values) {
      const double stored = static_cast<double>(value);
      if (padding_low && stored >= static_cast<double>(*padding_low) &&
          stored <= static_cast<double>(*padding_high))
        continue;
      const double x = modality(stored);
      if (!std::isfinite(x)) continue;
      *low = any ? std::min(*low, x) : x;
      *high = any ? std::max(*high, x) : x;
      any = true;
    }
  });
  return any;
}

Result<Image> RenderFrame(const StoredFrame& frame, const DataSet& data_set, int64_t i,
                          const RenderOptions& options, RenderReport* report) {
  if (frame.samples == 3) return RenderColour(frame, report);
  if (frame.photometric == "PALETTE COLOR") return RenderPalette(frame, data_set, report);
  RETURN_IF_ERROR(CheckGrey(frame, data_set, &report->warnings));
  return RenderGrey(frame, data_set, i, options, report);
}

}  // namespace galen::dicom
