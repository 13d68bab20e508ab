#include "extract/units/unit_names.h"

#include <algorithm>
#include <map>

#include "base/json.h"
#include "extract/configs.h"
#include "extract/units/unit.h"

namespace galen::extract {
namespace {

struct Names {
  std::map<std::string, std::string> exact;  // folded name -> code
  std::map<std::string, std::string> lower;  // where upper and lower case do not matter
};

std::string Lower(std::string s) {
  for (char& c : s) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return s;
}

Names ReadNames() {
  Names names;
  const Json units = BuiltinJson("rules/units.json");
  std::map<std::string, int> uses;
  for (const Json& entry : units.at("units")) {
    const std::string code = entry.at("code");
    GALEN_CHECK(ParseUnit(code).ok());
    std::vector<std::string> all = entry.value("names", std::vector<std::string>());
    all.push_back(code);
    for (const std::string& name : all) {
      const std::string folded = FoldUnit(name);
      names.exact.emplace(folded, code);
      auto [at, added] = names.lower.emplace(Lower(folded), code);
      // "M" and "m", "G/L" and "g/L": such names are read as written only.
      if (!added && at->second != code) at->second.clear();
    }
  }
  return names;
}

const Names& AllNames() {
  static const Names names = ReadNames();
  return names;
}

}  // namespace

std::string FoldUnit(std::string_view printed) {
  static constexpr std::pair<std::string_view, std::string_view> kSame[] = {
      {"µ", "u"}, {"μ", "u"}, {"⁰", "0"}, {"¹", "1"},     {"²", "2"},     {"³", "3"},
      {"⁴", "4"}, {"⁵", "5"}, {"⁶", "6"}, {"⁷", "7"},     {"⁸", "8"},     {"⁹", "9"},
      {"×", ""},  {"·", "."}, {"^", ""},  {"*", ""},      {" ", ""},      {"\t", ""},
      {"⁄", "/"}, {"∕", "/"}, {"⁻", "-"}, {"\u00a0", ""}, {"\u202f", ""}, {"º", "°"}};
  std::string folded;
  while (!printed.empty()) {
    bool replaced = false;
    for (const auto& [from, to] : kSame) {
      if (!printed.starts_with(from)) continue;
      folded += to;
      printed.remove_prefix(from.size());
      replaced = true;
      break;
    }
    if (replaced) continue;
    folded += printed.front();
    printed.remove_prefix(1);
  }
  // "x109/L", "x10e9/L", "10E9/L": the multiplication sign and the exponent's letter.
  if (folded.size() > 3 && (folded[0] == 'x' || folded[0] == 'X') && folded[1] == '1') {
    folded.erase(0, 1);
  }
  if (folded.size() > 3 && folded.starts_with("10") && (folded[2] == 'e' || folded[2] == 'E')) {
    folded.erase(2, 1);
  }
  return folded;
}

std::string UnitCode(std::string_view printed) {
  if (printed.empty() || printed.size() > 64) return "";
  const std::string folded = FoldUnit(printed);
  const Names& names = AllNames();
  if (const auto at = names.exact.find(folded); at != names.exact.end()) return at->second;
  const auto at = names.lower.find(Lower(folded));
  if (at != names.lower.end() && !at->second.empty()) return at->second;
  if (ParseUnit(printed).ok()) return std::string(printed);
  return ParseUnit(folded).ok() ? folded : "";
}

}  // namespace galen::extract
