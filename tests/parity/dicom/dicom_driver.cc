// Answers requests on standard input, one a line, COMMAND <tab> PATH [<tab> NUMBER], with a JSON
// object and bytes on standard output: u32 length, JSON, u64 length, bytes. Commands: info, raw,
// modality, voi, window, render, physical, palette, document, set.
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "media/dicom/colour.h"
#include "media/dicom/dicom_set.h"
#include "media/dicom/parsed_file.h"

using namespace galen;

namespace {

using Bytes = std::vector<uint8_t>;

void Reply(const Json& json, std::span<const uint8_t> bytes = {}) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  const uint32_t length = static_cast<uint32_t>(text.size());
  const uint64_t size = bytes.size();
  std::fwrite(&length, 4, 1, stdout);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fwrite(&size, 8, 1, stdout);
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
  std::fflush(stdout);
}

template <typename T>
std::span<const uint8_t> AsBytes(const std::vector<T>& values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)};
}

Json Failure(const Status& status) {
  return {{"error", status.message()}, {"code", std::string(StatusCodeName(status.code()))}};
}

Json Codes(const DicomWarnings& warnings) {
  Json codes = Json::array();
  for (const DicomWarning& warning : warnings) codes.push_back(warning.code);
  return codes;
}

Json Shape(const StoredFrame& frame) {
  constexpr const char* kTypes[] = {"u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"};
  return {{"rows", frame.rows},
          {"columns", frame.columns},
          {"samples", frame.samples},
          {"type", kTypes[static_cast<int>(frame.type)]},
          {"photometric", frame.photometric}};
}

Json InfoOf(const DicomFile& file) {
  const DicomInfo& info = file.info();
  Json json = {{"frames", file.frames()},
               {"modality", info.modality},
               {"syntax", info.transfer_syntax},
               {"burned_in", info.burned_in},
               {"lossy", info.lossy},
               {"overlays", info.overlays.size()},
               {"document", info.document_type},
               {"warnings", Codes(file.warnings())},
               {"kept", info.identity.kept != nullptr}};
  if (info.padding_low) json["padding"] = {*info.padding_low, *info.padding_high};
  if (file.frames() == 0) return json;
  Json places = Json::array();
  for (int64_t i = 0; i < std::min<int64_t>(file.frames(), 100); ++i) {
    const DicomGeometry g = file.Geometry(i);
    Json place = Json::object();
    if (g.position) place["position"] = *g.position;
    if (g.orientation) place["orientation"] = *g.orientation;
    if (g.spacing) place["spacing"] = *g.spacing;
    places.push_back(place);
  }
  json["places"] = places;
  if (const Result<DicomTiling> tiling = file.Tiling(); tiling.ok()) {
    json["matrix"] = {tiling->total_columns, tiling->total_rows};
    for (int64_t i = 0; i < std::min<int64_t>(file.frames(), 1000); ++i) {
      json["tiles"].push_back({tiling->Tile(i).column, tiling->Tile(i).row});
    }
  }
  return json;
}

// Values through the modality LUT, and through the VOI in pydicom's output range: that of the
// stored values after rescale.
void ReplyGrey(const DicomFile& file, int64_t i, const StoredFrame& frame, bool voi,
               bool prefer_window) {
  DicomWarnings warnings;
  const dicom::DataSet& data_set = file.parsed().data_set();
  const dicom::PixelFormat& format = file.info().format;
  const dicom::ModalityTransform modality = dicom::ReadModality(
      dicom::GroupOrTop(data_set, i, dicom::kValueTransformations), format.is_signed, &warnings);
  if (!voi) {
    Reply(Shape(frame), AsBytes(dicom::MapSamples<double>(frame, modality)));
    return;
  }
  const dicom::VoiTransforms found = dicom::ReadVoi(
      dicom::GroupOrTop(data_set, i, dicom::kFrameVoiLuts), format.is_signed, &warnings);
  if (!found.tables.empty() && !prefer_window) {
    const auto map = [&](double x) { return static_cast<double>(found.tables[0].At(modality(x))); };
    Reply(Shape(frame), AsBytes(dicom::MapSamples<double>(frame, map)));
    return;
  }
  if (found.windows.empty()) return Reply({{"error", "no window"}});
  const double half = static_cast<double>(int64_t{1} << (format.bits_stored - 1));
  double low = format.is_signed ? -half : 0;
  double high = format.is_signed ? half - 1 : 2 * half - 1;
  if (modality.table) {
    low = 0;
    high = modality.table->Top();
  } else {
    low = low * modality.slope + modality.intercept;
    high = high * modality.slope + modality.intercept;
  }
  const auto map = [&](double x) {
    return found.windows[0].Fraction(modality(x)) * (high - low) + low;
  };
  Reply(Shape(frame), AsBytes(dicom::MapSamples<double>(frame, map)));
}

void ReplyPalette(const DicomFile& file, const StoredFrame& frame) {
  const Result<dicom::Palette> palette =
      dicom::ReadPalette(file.parsed().data_set(), file.info().format.is_signed);
  if (!palette.ok()) return Reply(Failure(palette.status()));
  std::vector<uint16_t> out(static_cast<size_t>(frame.values()) * 3);
  const dicom::LookupTable* tables[] = {&palette->red, &palette->green, &palette->blue};
  for (size_t c = 0; c < 3; ++c) {
    const auto channel =
        dicom::MapSamples<uint16_t>(frame, [&](double x) { return tables[c]->At(x); });
    for (size_t p = 0; p < channel.size(); ++p) out[3 * p + c] = channel[p];
  }
  Reply({{"bits", palette->red.bits}}, AsBytes(out));
}

void ReplyFile(const std::string& command, const std::string& path, int64_t i) {
  const Result<DicomFile> file = DicomFile::Open(path);
  if (!file.ok()) return Reply(Failure(file.status()));
  if (command == "info") return Reply(InfoOf(*file));
  if (command == "document") {
    const Result<Bytes> document = file->ReadDocument();
    return document.ok() ? Reply({{"type", file->info().document_type}}, *document)
                         : Reply(Failure(document.status()));
  }
  if (command == "render") {
    RenderReport report;
    const Result<Image> image = file->Render(i, {}, &report);
    if (!image.ok()) return Reply(Failure(image.status()));
    return Reply({{"rows", image->height},
                  {"columns", image->width},
                  {"samples", image->channels},
                  {"voi", report.voi},
                  {"inverted", report.inverted},
                  {"colour", report.colour},
                  {"warnings", Codes(report.warnings)}},
                 image->pixels);
  }
  if (command == "physical") {
    const Result<std::vector<float>> values = file->ReadPhysical(i);
    return values.ok() ? Reply({{"unit", file->PhysicalUnit(i)}}, AsBytes(*values))
                       : Reply(Failure(values.status()));
  }
  const Result<StoredFrame> frame = file->ReadFrame(i);
  if (!frame.ok()) return Reply(Failure(frame.status()));
  if (command == "raw") return Reply(Shape(*frame), frame->data);
  if (command == "palette") return ReplyPalette(*file, *frame);
  if (command == "rgb") {
    Bytes pixels = frame->data;
    dicom::YbrToRgb(pixels);
    return Reply(Shape(*frame), pixels);
  }
  if (command == "modality") return ReplyGrey(*file, i, *frame, false, false);
  if (command == "voi" || command == "window")
    return ReplyGrey(*file, i, *frame, true, command == "window");
  Reply({{"error", "unknown command"}});
}

void ReplySet(const std::string& path, bool mixed) {
  DicomSetOptions options;
  options.allow_mixed_patients = mixed;
  const Result<DicomSet> set = ReadDicomSet(path, options);
  if (!set.ok()) return Reply(Failure(set.status()));
  Json studies = Json::array();
  for (const DicomStudy& study : set->studies) {
    Json all = Json::array();
    for (const DicomSeries& series : study.series) {
      Json slices = Json::array();
      for (const DicomSlice& slice : series.slices) {
        const DicomSource& source = set->files[static_cast<size_t>(slice.file)];
        slices.push_back({source.member.empty() ? source.path : source.member, slice.frame,
                          slice.time_point, slice.location ? Json(*slice.location) : Json()});
      }
      all.push_back({{"modality", series.modality},
                     {"order", series.order},
                     {"slices", slices},
                     {"step", series.slice_spacing ? Json(*series.slice_spacing) : Json()},
                     {"time_points", series.time_points},
                     {"warnings", Codes(series.warnings)}});
    }
    studies.push_back(
        {{"patient", study.patient}, {"series", all}, {"documents", study.documents.size()}});
  }
  Reply({{"studies", studies},
         {"not_dicom", set->not_dicom},
         {"unreadable", set->unreadable.size()},
         {"warnings", Codes(set->warnings)}});
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string command, path, number;
    std::getline(words, command, '\t');
    std::getline(words, path, '\t');
    std::getline(words, number, '\t');
    const int64_t i = number.empty() ? 0 : std::atoll(number.c_str());
    if (command == "set") {
      ReplySet(path, i != 0);
    } else {
      ReplyFile(command, path, i);
    }
  }
  return 0;
}
