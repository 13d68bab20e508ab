// --schema, --regex and --grammar: what an answer must be.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/json.h"
#include "engine/generation.h"

namespace galen::cli {

struct ConstraintOptions {
  std::string schema, regex, grammar;  // files, but for the expression
  std::string whitespace = "flexible";

  bool any() const { return !schema.empty() || !regex.empty() || !grammar.empty(); }
};

void AddConstraintOptions(CLI::App& verb, ConstraintOptions* options);

struct CompiledConstraint {
  std::shared_ptr<const grammar::Constraint> constraint;  // null: none was asked for
  std::string kind;                                       // "schema", "regex", "grammar"
  double vocabulary_seconds = 0, compile_seconds = 0;
};
Result<CompiledConstraint> CompileConstraint(const ConstraintOptions& options,
                                             const ModelFiles& files);
// The record beside an answer.
Json ConstraintReport(const CompiledConstraint& compiled, const TextResult& result);

}  // namespace galen::cli
