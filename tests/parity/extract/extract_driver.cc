// Answers that others wrote, checked against real files: a JSON object a line in, one out.
//   {"files": [path], "kind": kind or "auto", "answers": [text]}  all answers about one opened case
//   -> {"results": [{"error": text} or {"kind", "kind_by", "flags": {path: [verdict]}, "values": n,
//       "fhir": text, "sr": base64}]}
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
         const std::string& text) {
  AnswerReader reader(text);
  ExtractOptions options;
  options.kind = kind;
  options.today = {2030, 1, 1};
  const Result<Extraction> result = Extract(source, options, &reader, nullptr);
  if (!result.ok()) return {{"error", result.status().message()}};
  Json flags = Json::object();
  for (const Value& value : result->answer.values) {
    for (const Verdict& verdict : value.verdicts) {
      if (verdict.level == Level::kFlag) flags[value.leaf.path].push_back(verdict.id);
    }
  }
  return {{"kind", result->kind->id},
          {"kind_by", result->kind_by},
          {"flags", flags},
          {"values", result->answer.values.size()},
          {"fhir", ToFhir(*result, kOptions)},
          {"sr", Base64(ToSr(*result, kOptions))}};
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
    options.ocr = OcrUse::kNever;
    const auto files = request->at("files").get<std::vector<std::string>>();
    Result<Case> opened = Case::Open(files, options);
    Json results = Json::array();
    if (!opened.ok()) {
      results.push_back({{"error", opened.status().message()}});
    } else {
      const auto source = std::make_shared<const Case>(*std::move(opened));
      for (const Json& answer : request->at("answers")) {
        results.push_back(Run(source, request->at("kind"), answer));
      }
    }
    std::cout << Json{{"results", results}}.dump() << "\n";
  }
  return 0;
}
