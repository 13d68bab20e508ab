// Answers that others wrote, checked against real files: a JSON object a line in, one out.
//   {"files": [path], "kind": kind or "auto", "answers": [text]}  all answers about one opened
//   case;
//       "ocr": true reads pictures with Tesseract, "written": false leaves fhir and sr out
//   -> {"results": [{"error": text} or {"kind", "kind_by", "flags": {path: [verdict]}, "values": n,
//       "boxes": {path: [x0, y0, x1, y1, page from 1]}, "fhir": text, "sr": base64}],
//       "words": [text], "warnings": [text], "seconds": to open the case}
#include <chrono>
#include <iostream>
#include <string>

#include "base/base64.h"
#include "base/json.h"
#include "extract/extraction.h"
#include "extract/output/output.h"

using namespace galen;
using namespace galen::extract;

namespace {

class AnswerReader : public Reader {
 public:
  explicit AnswerReader(std::string text) : text_(std::move(text)) {}
  ReaderIdentity identity() const override {
    ReaderIdentity identity;
    identity.model = "answers of a file";
    return identity;
  }
  Result<std::vector<Answer>> Read(const ReadRequest& request) override {
    // Words did not tell the kind.
    if (request.schema.find("\"none\"") != std::string::npos) return NotFound("kind unsure");
    Answer answer;
    answer.text = text_;
    return std::vector<Answer>{std::move(answer)};
  }

 private:
  std::string text_;
};

const OutputOptions kOptions{"0.1.0", "2030-01-01T00:00:00Z", nullptr};

std::string Base64(const std::string& bytes) {
  return EncodeBase64({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

Json Run(const std::shared_ptr<const Case>& source, const std::string& kind,
         const std::string& text, bool written) {
  AnswerReader reader(text);
  ExtractOptions options;
  options.kind = kind;
  options.today = {2030, 1, 1};
  const Result<Extraction> result = Extract(source, options, &reader, nullptr);
  if (!result.ok()) return {{"error", result.status().message()}};
  Json flags = Json::object(), boxes = Json::object();
  for (const Value& value : result->answer.values) {
    if (value.evidence) {
      const Box& box = value.evidence->span.box;
      boxes[value.leaf.path] = {box.x0, box.y0, box.x1, box.y1, value.evidence->span.page + 1};
    }
    for (const Verdict& verdict : value.verdicts) {
      if (verdict.level == Level::kFlag) flags[value.leaf.path].push_back(verdict.id);
    }
  }
  Json checked = {{"kind", result->kind->id},
                  {"kind_by", result->kind_by},
                  {"flags", flags},
                  {"boxes", boxes},
                  {"values", result->answer.values.size()}};
  if (written) {
    checked["fhir"] = ToFhir(*result, kOptions);
    checked["sr"] = Base64(ToSr(*result, kOptions));
  }
  return checked;
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    const Result<Json> request = ParseJson(line);
    if (!request.ok()) {
      std::cerr << request.status().message() << "\n";
      return 1;
    }
    CaseOptions options;
    options.ocr = request->value("ocr", false) ? OcrUse::kAlways : OcrUse::kNever;
    const auto files = request->at("files").get<std::vector<std::string>>();
    const auto start = std::chrono::steady_clock::now();
    Result<Case> opened = Case::Open(files, options);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    Json results = Json::array(), words = Json::array(), warnings = Json::array();
    if (!opened.ok()) {
      results.push_back({{"error", opened.status().message()}});
    } else {
      const auto source = std::make_shared<const Case>(*std::move(opened));
      for (const SourcePage& page : source->pages()) {
        for (const PageWord& word : page.words) words.push_back(word.text);
      }
      warnings = source->warnings();
      for (const Json& answer : request->at("answers")) {
        results.push_back(
            Run(source, request->at("kind"), answer, request->value("written", true)));
      }
    }
    std::cout << Json{{"results", results},
                      {"words", words},
                      {"warnings", warnings},
                      {"seconds", taken.count()}}
                     .dump()
              << "\n";
  }
  return 0;
}
