#include "extract/units/analyte.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/json.h"
#include "extract/configs.h"

namespace galen::extract {
namespace {

// Where and when a sample was taken: no part of an analyte's name. With single letters as in
// "S-Natrium" (serum), "P-Glucose" (plasma), "B-Hb" (blood).
constexpr std::string_view kQualifiers[] = {"serum",  "plasma", "blood", "fasting",
                                            "random", "venous", "level", "arterial",
                                            "s",      "p",      "b",     "fs"};

std::optional<Limits> ReadLimits(const Json& entry, const char* key, const Analyte& analyte) {
  const auto at = entry.find(key);
  if (at == entry.end()) return std::nullopt;
  Limits limits;
  limits.id = std::string(key) + "." + analyte.id;
  limits.source = at->at("source");
  limits.unit = at->value("unit", analyte.unit);
  limits.border_breaks = at->value("border_breaks", false);
  GALEN_CHECK(Convert(1, limits.unit, analyte.unit, &analyte).ok());
  if (at->contains("low")) limits.low = at->at("low").get<double>();
  if (at->contains("high")) limits.high = at->at("high").get<double>();
  return limits;
}

std::vector<Analyte> ReadAnalytes() {
  std::vector<Analyte> list;
  const Json file = BuiltinJson("rules/analytes.json");
  for (const Json& entry : file.at("analytes")) {
    Analyte analyte;
    analyte.id = entry.at("id");
    analyte.display = entry.at("display");
    analyte.loinc = entry.value("loinc", "");
    analyte.loinc_mass = entry.value("loinc_mass", "");
    analyte.loinc_moles = entry.value("loinc_moles", "");
    analyte.unit = entry.at("unit");
    analyte.grams_per_mole = entry.value("grams_per_mole", 0.0);
    analyte.charge = entry.value("charge", 0.0);
    analyte.moles_per_iu = entry.value("moles_per_iu", 0.0);
    analyte.hba1c = entry.value("hba1c", false);
    analyte.plausible = ReadLimits(entry, "plausible", analyte);
    analyte.critical = ReadLimits(entry, "critical", analyte);
    for (const Json& name : entry.at("names")) {
      analyte.names.push_back(FoldName(name.get<std::string>()));
    }
    analyte.names.push_back(FoldName(analyte.display));
    GALEN_CHECK(ParseUnit(analyte.unit).ok());
    list.push_back(std::move(analyte));
  }
  return list;
}

std::string WithoutBrackets(std::string_view s) {
  std::string out;
  int depth = 0;
  for (const char c : s) {
    if (c == '(' || c == '[') ++depth;
    if (depth == 0) out += c;
    if ((c == ')' || c == ']') && depth > 0) --depth;
  }
  return out;
}

std::string WithoutQualifiers(std::string_view folded) {
  std::string out;
  while (!folded.empty()) {
    const size_t end = std::min(folded.find(' '), folded.size());
    const std::string_view word = folded.substr(0, end);
    if (std::find(std::begin(kQualifiers), std::end(kQualifiers), word) == std::end(kQualifiers)) {
      out += (out.empty() ? "" : " ") + std::string(word);
    }
    folded.remove_prefix(std::min(end + 1, folded.size()));
  }
  return out;
}

const std::map<std::string, std::vector<const Analyte*>>& ByName() {
  static const std::map<std::string, std::vector<const Analyte*>> names = [] {
    std::map<std::string, std::vector<const Analyte*>> map;
    for (const Analyte& analyte : Analytes()) {
      for (const std::string& name : analyte.names) map[name].push_back(&analyte);
    }
    return map;
  }();
  return names;
}

}  // namespace

int Outside(double value, const Limits& limits) {
  // A value on the border comes out of a conversion with a rounding error.
  const auto near = [&](double border) {
    return std::abs(value - border) <= 1e-9 * std::max(1.0, std::abs(border));
  };
  if (limits.low && (near(*limits.low) ? limits.border_breaks : value < *limits.low)) return -1;
  if (limits.high && (near(*limits.high) ? limits.border_breaks : value > *limits.high)) return 1;
  return 0;
}

std::string FoldName(std::string_view printed) {
  std::string folded;
  bool space = false;
  for (const char c : printed) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                        (c >= 'A' && c <= 'Z') || byte >= 0x80 || c == '%' || c == '#';
    if (!letter) {
      space = !folded.empty();
      continue;
    }
    if (space) folded += ' ';
    space = false;
    folded += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return folded;
}

const std::vector<Analyte>& Analytes() {
  static const std::vector<Analyte> analytes = ReadAnalytes();
  return analytes;
}

const Analyte* FindAnalyte(std::string_view printed, std::string_view unit) {
  const auto& names = ByName();
  for (const std::string& name :
       {FoldName(printed), FoldName(WithoutBrackets(printed)), WithoutQualifiers(FoldName(printed)),
        WithoutQualifiers(FoldName(WithoutBrackets(printed)))}) {
    const auto at = names.find(name);
    if (at == names.end()) continue;
    for (const Analyte* analyte : at->second) {
      if (!unit.empty() && Convert(1, unit, analyte->unit, analyte).ok()) return analyte;
    }
    return at->second[0];
  }
  return nullptr;
}

const Analyte* AnalyteById(std::string_view id) {
  for (const Analyte& analyte : Analytes()) {
    if (analyte.id == id) return &analyte;
  }
  return nullptr;
}

}  // namespace galen::extract
