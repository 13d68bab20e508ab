#include "extract/kind.h"

#include <algorithm>

#include "base/files.h"
#include "extract/configs.h"
#include "extract/source/index.h"

namespace galen::extract {
namespace {

constexpr size_t kMaxSchema = size_t{4} << 20;
// A guess by words needs this much, and this many times the next kind's.
constexpr double kEnough = 6;
constexpr double kLead = 1.3;
// Pages with so many words and without a term of any kind are no medical document.
constexpr size_t kFewWords = 12;
constexpr double kHardlyAny = 1.5;

FieldSpec ReadField(const Json& json) {
  FieldSpec field;
  for (const auto& [key, value] : json.items()) {
    if (key == "use") {
      field.use = value;
    } else if (key == "labels") {
      field.labels = value.get<std::vector<std::string>>();
    } else if (key == "date") {
      field.date = value;
    } else if (key == "measure") {
      field.measure = value;
    } else if (key == "unit") {
      field.unit = value;
    } else if (key == "unit_from") {
      field.unit_from = value;
    } else if (key == "spelled") {
      field.spelled = value.get<std::map<std::string, std::vector<std::string>>>();
    } else if (key == "any_order") {
      field.any_order = value;
    } else if (key == "inferred") {
      field.inferred = value;
    } else {
      GALEN_CHECK(false);  // a key that nothing reads, in galen's own data
    }
  }
  return field;
}

Kind ReadKind(const std::string& id, const Json& common) {
  const Json json = BuiltinJson("extract/" + id + ".json");
  Kind kind;
  kind.id = id;
  kind.title = json.at("title");
  kind.loinc = json.at("loinc");
  kind.instruction = json.at("instruction");
  kind.schema = std::string(BuiltinConfig("schemas/" + id + ".json"));
  GALEN_CHECK(!kind.schema.empty());
  for (const auto& [term, weight] : json.at("terms").items()) {
    kind.terms.emplace_back(term, weight.get<double>());
  }
  for (const Json* source : {&common.at("fields"), &json.at("fields")}) {
    for (const auto& [path, field] : source->items()) kind.fields[path] = ReadField(field);
  }
  for (const Json& entry : json.value("records", Json::array())) {
    RecordSpec record;
    record.at = entry.at("at");
    record.role = entry.at("role");
    record.name = entry.at("name");
    if (common.at("records").contains(record.role)) {
      for (const auto& [name, field] : common.at("records").at(record.role).items()) {
        record.fields[name] = ReadField(field);
      }
    }
    const Json own = entry.value("fields", Json::object());
    for (const auto& [name, field] : own.items()) {
      record.fields[name] = ReadField(field);
    }
    kind.records.push_back(std::move(record));
  }
  return kind;
}

}  // namespace

const FieldSpec* Kind::Field(const std::string& path) const {
  if (const auto at = fields.find(path); at != fields.end()) return &at->second;
  for (const RecordSpec& record : records) {
    if (!path.starts_with(record.at + "/")) continue;
    const size_t slash = path.find('/', record.at.size() + 1);
    if (slash == path.npos) return nullptr;
    const auto at = record.fields.find(path.substr(slash + 1));
    return at == record.fields.end() ? nullptr : &at->second;
  }
  return nullptr;
}

const std::vector<Kind>& Kinds() {
  static const std::vector<Kind> kinds = [] {
    std::vector<Kind> list;
    const Json common = BuiltinJson("extract/common.json");
    for (const auto& [path, text] : BuiltinConfigs()) {
      if (!path.starts_with("schemas/")) continue;
      std::string id(path.substr(8));
      id.resize(id.size() - 5);
      list.push_back(ReadKind(id, common));
    }
    std::sort(list.begin(), list.end(), [](const Kind& a, const Kind& b) { return a.id < b.id; });
    return list;
  }();
  return kinds;
}

Result<Kind> FindKind(const std::string& name) {
  std::string names;
  for (const Kind& kind : Kinds()) {
    if (kind.id == name) return kind;
    names += (names.empty() ? "" : ", ") + kind.id;
  }
  if (!name.ends_with(".json")) {
    return InvalidArgument("there is no kind '" + name + "'; there are " + names +
                           ", auto, and schema files ending in .json");
  }
  ASSIGN_OR_RETURN(std::string schema, ReadFile(name, kMaxSchema));
  return CustomKind(name, std::move(schema));
}

Result<Kind> CustomKind(std::string title, std::string text) {
  const Result<Json> schema = ParseJson(text);
  if (!schema.ok()) return schema.status().WithContext(title);
  Kind kind;
  kind.schema = std::move(text);
  kind.id = "custom";
  kind.title = std::move(title);
  kind.instruction = "Extract the document.";
  return kind;
}

std::vector<KindScore> ScoreKinds(std::span<const SourcePage> pages) {
  std::vector<KindScore> scores;
  std::vector<PageIndex> indexes;
  for (size_t i = 0; i < pages.size(); ++i) indexes.emplace_back(pages[i], i);
  for (const Kind& kind : Kinds()) {
    KindScore entry{&kind, 0};
    for (const auto& [term, weight] : kind.terms) {
      const bool there = std::any_of(indexes.begin(), indexes.end(), [&](const PageIndex& index) {
        return !index.FindText(term).empty();
      });
      if (there) entry.score += weight;
    }
    scores.push_back(entry);
  }
  std::stable_sort(scores.begin(), scores.end(),
                   [](const KindScore& a, const KindScore& b) { return a.score > b.score; });
  return scores;
}

KindGuess GuessKind(std::span<const SourcePage> pages) {
  size_t words = 0;
  for (const SourcePage& page : pages) words += page.words.size();
  const std::vector<KindScore> scores = ScoreKinds(pages);
  if (words >= kFewWords && scores[0].score < kHardlyAny) return {KindGuess::kNone, nullptr};
  const bool clear = scores[0].score >= kEnough && scores[0].score >= kLead * scores[1].score;
  return {clear ? KindGuess::kClear : KindGuess::kUnsure, scores[0].kind};
}

}  // namespace galen::extract
