#include "extract/output/output.h"

namespace galen::extract {
namespace {

Json BoxOf(const Box& box) {
  const auto tenth = [](double x) {
    return static_cast<double>(static_cast<int64_t>(x * 10 + 0.5)) / 10;
  };
  return {tenth(box.x0), tenth(box.y0), tenth(box.x1), tenth(box.y1)};
}

Json VerdictJson(const Verdict& verdict) {
  Json json = {
      {"id", verdict.id}, {"level", LevelName(verdict.level)}, {"message", verdict.message}};
  if (!verdict.rule.empty()) json["rule"] = verdict.rule;
  if (!verdict.source.empty()) json["source"] = verdict.source;
  return json;
}

Json ValueJson(const Value& value, const std::vector<SourcePage>& pages) {
  Json json = {{"path", value.leaf.path}, {"value", value.leaf.value}};
  if (!value.leaf.raw.empty() && value.leaf.value.is_number()) json["text"] = value.leaf.raw;
  if (value.confidence) {
    json["confidence"] = {{"mean", value.confidence->mean}, {"lowest", value.confidence->lowest}};
  }
  if (value.evidence) {
    const SourcePage& page = pages[value.evidence->span.page];
    json["evidence"] = {{"page", value.evidence->span.page + 1},
                        {"file", page.file},
                        {"page_of_file", page.number},
                        {"box", BoxOf(value.evidence->span.box)},
                        {"words", value.evidence->words}};
    if (!value.evidence->compared) json["evidence"]["compared"] = false;
  }
  if (!value.unit_code.empty()) json["ucum"] = value.unit_code;
  if (!value.converted.empty()) {
    json["converted"] = {{"value", value.converted}, {"ucum", value.converted_unit}};
  }
  if (!value.analyte.empty()) json["analyte"] = value.analyte;
  if (value.other) json["second_reader"] = *value.other;
  json["verdicts"] = Json::array();
  for (const Verdict& verdict : value.verdicts) json["verdicts"].push_back(VerdictJson(verdict));
  return json;
}

Json ReaderJson(const ReaderIdentity& reader) {
  Json json = {{"model", reader.model},
               {"architecture", reader.architecture},
               {"reads", reader.sees_images ? "pictures" : "words"}};
  if (!reader.digest.empty()) json["digest"] = reader.digest;
  if (!reader.adapters.empty()) json["adapters"] = reader.adapters;
  if (!reader.kinds.empty()) json["kinds"] = reader.kinds;
  return json;
}

}  // namespace

Json Report(const Extraction& e, const OutputOptions& options) {
  Json json;
  json["galen"] = options.version;
  json["written"] = options.written;
  json["kind"] = e.kind->id;
  json["kind_by"] = e.kind_by;
  json["complete"] = e.whole;
  json["document"] = e.document;
  json["files"] = Json::array();
  for (const Case::File& file : e.source->files()) {
    json["files"].push_back({{"path", file.path}, {"sha256", file.sha256}, {"bytes", file.bytes}});
  }
  json["pages"] = Json::array();
  for (const SourcePage& page : e.source->pages()) {
    json["pages"].push_back({{"file", page.file},
                             {"page_of_file", page.number},
                             {"width", page.width},
                             {"height", page.height},
                             {"words", page.words.size()},
                             {"word_source", WordSourceName(page.word_source)}});
  }
  json["readers"] = Json::array();
  for (const ReaderIdentity& reader : e.readers) json["readers"].push_back(ReaderJson(reader));
  json["requests"] = e.requests;
  json["values"] = Json::array();
  for (const Value& value : e.answer.values) {
    json["values"].push_back(ValueJson(value, e.source->pages()));
  }
  json["verdicts"] = Json::array();
  for (const Verdict& verdict : e.verdicts) json["verdicts"].push_back(VerdictJson(verdict));
  json["summary"] = {{"values", e.CountStated()},
                     {"flagged", e.Count(Level::kFlag)},
                     {"noted", e.Count(Level::kNote)}};
  json["warnings"] = e.warnings;
  return json;
}

std::string ToJson(const Extraction& e, const OutputOptions& options) {
  return Report(e, options).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace galen::extract
