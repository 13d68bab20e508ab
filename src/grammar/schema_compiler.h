// From expanded schemas to the nodes of a Grammar. One rule per conjunction of schemas, so that
// recursion ends.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "grammar/grammar.h"
#include "grammar/schema_expand.h"

namespace galen::grammar {

// A value as a key of maps: numbers in one spelling, properties in the order of their names.
std::string CanonicalText(const OrderedJson& value);
// A string as it is generated where it is known beforehand: in quotes, escaped where JSON demands
// it.
std::string StringText(std::string_view text);

class SchemaCompiler {
 public:
  SchemaCompiler(SchemaDocument document, bool flexible);
  Result<Grammar> Compile();

 private:
  struct TextRange {  // strings: texts of dfa with min to max code points
    Dfa dfa;
    int64_t min = 0, max = -1;
  };
  struct Extra {  // names that no schema lists, and what their values must be
    std::vector<int> languages;
    int value = -1;  // rule
  };
  class ArrayBuilder;
  class ObjectBuilder;

  Result<int> ValueRule(const Conjunction& conjunction);
  // Adds the first nodes of all texts of the type to *targets.
  Status AddType(const Conjunction& conjunction, JsonType type, int next,
                 std::vector<int32_t>* targets);
  Status AddAlternative(const Alternative& alternative, JsonType type, int next,
                        std::vector<int32_t>* targets);
  // True if the alternative names its values; then they were added.
  Result<bool> AddValues(const Alternative& alternative, JsonType type, int next,
                         std::vector<int32_t>* targets);
  int AddJson(const OrderedJson& value, int next);
  Result<int> AddNumber(const Alternative& alternative, int next);
  Result<std::optional<TextRange>> TextOf(const Alternative& alternative);
  Result<int> Language(const TextRange& range);
  Status AddArray(const Alternative& alternative, int next, std::vector<int32_t>* targets);
  Status AddObject(const Alternative& alternative, int next, std::vector<int32_t>* targets);
  // All values of a conjunction where they are few; nothing otherwise.
  Result<std::optional<std::vector<OrderedJson>>> FewValues(const Conjunction& conjunction);
  bool Disjoint(SchemaRef a, SchemaRef b, JsonType type);
  bool Never(const Conjunction& conjunction) const;

  int Space(int next);     // whitespace as it may stand inside brackets and behind commas
  int OneSpace(int next);  // behind a colon
  Status CheckTime() const;

  SchemaDocument document_;
  SchemaExpander expander_;
  const bool flexible_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  Grammar grammar_;
  int space_dfa_ = -1, one_space_dfa_ = -1;
  int disjoint_depth_ = 0;
  int depth_ = 0;  // of rules that are being made
  std::map<Conjunction, int> rules_;
  std::vector<Conjunction> made_;  // rules in the order in which they were begun
  std::map<std::tuple<SchemaRef, SchemaRef, JsonType>, bool> disjoint_;
  std::map<std::string, int> languages_;
  std::map<std::string, int> numbers_;
};

}  // namespace galen::grammar
