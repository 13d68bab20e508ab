#include "constraint_options.h"

#include "base/files.h"
#include "session.h"

namespace galen::cli {
namespace {

constexpr size_t kMaxFile = size_t{8} << 20;

Result<std::shared_ptr<const grammar::Constraint>> Compile(
    const ConstraintOptions& o, std::shared_ptr<const grammar::Vocabulary> vocabulary) {
  using grammar::Constraint;
  if (!o.regex.empty()) return Constraint::FromRegex(o.regex, std::move(vocabulary));
  ASSIGN_OR_RETURN(const std::string text,
                   ReadFile(o.schema.empty() ? o.grammar : o.schema, kMaxFile));
  if (!o.grammar.empty()) return Constraint::FromGbnf(text, std::move(vocabulary));
  return Constraint::FromSchema(
      text, std::move(vocabulary),
      o.whitespace == "compact" ? grammar::Whitespace::kCompact : grammar::Whitespace::kFlexible);
}

}  // namespace

void AddConstraintOptions(CLI::App& verb, ConstraintOptions* o) {
  CLI::Option* schema =
      verb.add_option("--schema", o->schema,
                      "JSON Schema file: the answer is a document that satisfies it")
          ->type_name("FILE");
  CLI::Option* regex =
      verb.add_option("--regex", o->regex, "Regular expression that the whole answer matches");
  CLI::Option* grammar =
      verb.add_option("--grammar", o->grammar, "GBNF grammar file that the answer follows")
          ->type_name("FILE");
  schema->excludes(regex)->excludes(grammar);
  regex->excludes(grammar);
  verb.add_option("--whitespace", o->whitespace,
                  "Of answers under --schema: flexible (as the model likes) or compact (none)")
      ->check(CLI::IsMember({"flexible", "compact"}))
      ->capture_default_str();
}

Result<CompiledConstraint> CompileConstraint(const ConstraintOptions& o, const ModelFiles& files) {
  CompiledConstraint compiled;
  if (!o.any()) return compiled;
  compiled.kind = !o.schema.empty() ? "schema" : !o.regex.empty() ? "regex" : "grammar";
  const double begin = Now();
  ASSIGN_OR_RETURN(std::shared_ptr<const grammar::Vocabulary> vocabulary,
                   ConstraintVocabulary(files));
  compiled.vocabulary_seconds = Now() - begin;
  Result<std::shared_ptr<const grammar::Constraint>> constraint = Compile(o, std::move(vocabulary));
  if (!constraint.ok()) return constraint.status().WithContext("--" + compiled.kind);
  compiled.constraint = *std::move(constraint);
  compiled.compile_seconds = Now() - begin - compiled.vocabulary_seconds;
  return compiled;
}

Json ConstraintReport(const CompiledConstraint& compiled, const TextResult& result) {
  return {{"kind", compiled.kind},
          {"complete", result.complete},
          {"vocabulary_s", compiled.vocabulary_seconds},
          {"compile_s", compiled.compile_seconds}};
}

}  // namespace galen::cli
