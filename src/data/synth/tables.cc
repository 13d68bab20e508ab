#include "data/synth/tables.h"

namespace galen {
namespace {

OrderedJson Parse(std::string_view name) {
  for (const auto& [file, text] : BuiltinSynthTexts()) {
    if (file != name) continue;
    auto json = ParseOrderedJson(text);
    GALEN_CHECK(json.ok());
    return std::move(json).value();
  }
  GALEN_CHECK(false && "a table is missing from the build");
  return {};
}

}  // namespace

const SynthTables& BuiltinSynthTables() {
  static const SynthTables tables = {Parse("analytes"), Parse("drugs"),  Parse("diagnoses"),
                                     Parse("names"),    Parse("labels"), Parse("letters")};
  return tables;
}

}  // namespace galen
