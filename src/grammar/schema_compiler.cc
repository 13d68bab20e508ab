#include "grammar/schema_compiler.h"

#include <algorithm>

#include "grammar/regex.h"
#include "grammar/schema.h"

namespace galen::grammar {
namespace {

constexpr size_t kMaxRules = 20000;
constexpr int kMaxOpenRules = 100;  // rules made inside each other
constexpr double kMaxSeconds = 10;
constexpr int kMaxIndentation = 64;
constexpr size_t kFewValues = 12;

// A Dfa's description, to find equal ones.
std::string Signature(const Dfa& dfa) {
  std::string s(reinterpret_cast<const char*>(dfa.byte_class.data()), dfa.byte_class.size());
  s.append(reinterpret_cast<const char*>(dfa.next.data()), dfa.next.size() * sizeof(int32_t));
  s.append(reinterpret_cast<const char*>(dfa.accepting.data()), dfa.accepting.size());
  return s;
}

// A number as it is generated: a whole one without fraction and exponent.
std::string NumberText(const OrderedJson& value) {
  const Result<Decimal> decimal = DecimalOf(value.dump());
  return decimal.ok() ? decimal->Text() : value.dump();
}

}  // namespace

std::string StringText(std::string_view text) {
  return OrderedJson(text).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

std::string CanonicalText(const OrderedJson& value) {
  if (value.is_number()) return NumberText(value);
  if (value.is_string()) return StringText(value.get_ref<const std::string&>());
  if (!value.is_structured()) return value.dump();
  std::vector<std::string> parts;
  for (const auto& [name, member] : value.items()) {
    parts.push_back((value.is_object() ? StringText(name) + ":" : "") + CanonicalText(member));
  }
  if (value.is_object()) std::sort(parts.begin(), parts.end());
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ",") + part;
  return value.is_object() ? "{" + text + "}" : "[" + text + "]";
}

SchemaCompiler::SchemaCompiler(SchemaDocument document, bool flexible)
    : document_(std::move(document)),
      expander_(&document_,
                [this](SchemaRef a, SchemaRef b, JsonType type) { return Disjoint(a, b, type); }),
      flexible_(flexible) {
  if (!flexible_) return;
  static const Dfa space = *CompileRegex(
      "( |\\n[ \\t]{0," + std::to_string(kMaxIndentation) + "})?", RegexMatch::kWhole);
  static const Dfa one_space = *CompileRegex(" ?", RegexMatch::kWhole);
  space_dfa_ = grammar_.AddDfaTable(space);
  one_space_dfa_ = grammar_.AddDfaTable(one_space);
}

int SchemaCompiler::Space(int next) { return flexible_ ? grammar_.AddDfa(space_dfa_, next) : next; }

int SchemaCompiler::OneSpace(int next) {
  return flexible_ ? grammar_.AddDfa(one_space_dfa_, next) : next;
}

Status SchemaCompiler::CheckTime() const {
  RETURN_IF_ERROR(grammar_.CheckSize().WithContext("schema"));
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin_;
  if (passed.count() > kMaxSeconds)
    return ResourceExhausted("schema: it takes longer than 10 seconds to compile");
  return OkStatus();
}

Result<Grammar> SchemaCompiler::Compile() {
  ASSIGN_OR_RETURN(const SchemaId root, document_.Root());
  ASSIGN_OR_RETURN(const int rule, ValueRule({{root, true}}));
  RETURN_IF_ERROR(grammar_.Finish(grammar_.AddCall(rule, grammar_.AddReturn())));
  if (!grammar_.nodes()[rule].productive) {
    return InvalidArgument(
        "schema: it contradicts itself: no finite document satisfies it (required members that "
        "are forbidden, bounds out of order, or recursion without an end)");
  }
  return std::move(grammar_);
}

bool SchemaCompiler::Never(const Conjunction& conjunction) const {
  return std::any_of(conjunction.begin(), conjunction.end(), [&](const SchemaRef& ref) {
    const OrderedJson& json = document_.json(ref.id);
    return json.is_boolean() && json.get<bool>() != ref.holds;
  });
}

Result<int> SchemaCompiler::ValueRule(const Conjunction& conjunction) {
  if (const auto it = rules_.find(conjunction); it != rules_.end()) return it->second;
  RETURN_IF_ERROR(CheckTime());
  if (rules_.size() > kMaxRules) {
    return ResourceExhausted("schema: its combinations make more than " +
                             std::to_string(kMaxRules) + " rules");
  }
  if (depth_ >= kMaxOpenRules) {
    return ResourceExhausted("schema: values are nested deeper than " +
                             std::to_string(kMaxOpenRules) + " levels of different schemas");
  }
  const int rule = grammar_.AddOpenSplit();
  rules_[conjunction] = rule;
  made_.push_back(conjunction);
  ++depth_;
  std::vector<int32_t> targets;
  if (!Never(conjunction)) {
    const int end = grammar_.AddReturn();
    for (const JsonType type : kJsonTypes)
      RETURN_IF_ERROR(AddType(conjunction, type, end, &targets));
  }
  --depth_;
  grammar_.SetSplit(rule, std::move(targets));
  return rule;
}

Status SchemaCompiler::AddType(const Conjunction& conjunction, JsonType type, int next,
                               std::vector<int32_t>* targets) {
  ASSIGN_OR_RETURN(const Alternatives alternatives, expander_.Expand(conjunction, type));
  for (const Alternative& alternative : alternatives) {
    RETURN_IF_ERROR(CheckTime());
    RETURN_IF_ERROR(AddAlternative(alternative, type, next, targets));
  }
  return OkStatus();
}

Status SchemaCompiler::AddAlternative(const Alternative& alternative, JsonType type, int next,
                                      std::vector<int32_t>* targets) {
  ASSIGN_OR_RETURN(const bool done, AddValues(alternative, type, next, targets));
  if (done) return OkStatus();
  switch (type) {
    case JsonType::kNull:
    case JsonType::kBoolean:
      break;  // AddValues names them all
    case JsonType::kNumber: {
      ASSIGN_OR_RETURN(const int node, AddNumber(alternative, next));
      targets->push_back(node);
      break;
    }
    case JsonType::kString: {
      ASSIGN_OR_RETURN(const std::optional<TextRange> range, TextOf(alternative));
      if (!range) break;
      ASSIGN_OR_RETURN(const int language, Language(*range));
      targets->push_back(grammar_.AddByte('"', '"', grammar_.AddString(language, next)));
      break;
    }
    case JsonType::kArray:
      return AddArray(alternative, next, targets);
    case JsonType::kObject:
      return AddObject(alternative, next, targets);
  }
  return OkStatus();
}

Result<bool> SchemaCompiler::AddValues(const Alternative& alternative, JsonType type, int next,
                                       std::vector<int32_t>* targets) {
  std::vector<OrderedJson> values;
  if (type == JsonType::kNull) {
    values = {nullptr};
  } else if (type == JsonType::kBoolean) {
    values = {true, false};
  } else {
    const auto named = std::find_if(alternative.begin(), alternative.end(), [](const Assertion& a) {
      return a.kind == Assertion::Kind::kEnum && a.holds;
    });
    if (named == alternative.end()) return false;
    if (named->single)
      values = {*named->values};
    else
      values.assign(named->values->begin(), named->values->end());
  }
  std::vector<std::string> scalars;
  std::set<std::string> seen;
  for (const OrderedJson& value : values) {
    if (TypeOf(value) != type) continue;
    bool valid = true;
    for (const Assertion& assertion : alternative) {
      ASSIGN_OR_RETURN(valid, expander_.Holds(assertion, value));
      if (!valid) break;
    }
    const std::string text = CanonicalText(value);
    if (!valid || !seen.insert(text).second) continue;
    if (value.is_structured())
      targets->push_back(AddJson(value, next));
    else
      scalars.push_back(text);
  }
  std::sort(scalars.begin(), scalars.end());
  if (!scalars.empty()) targets->push_back(grammar_.AddTexts(scalars, next));
  return true;
}

// One value, its properties in the order in which they are written.
int SchemaCompiler::AddJson(const OrderedJson& value, int next) {
  if (!value.is_structured()) return grammar_.AddText(CanonicalText(value), next);
  const bool object = value.is_object();
  int node = grammar_.AddByte(object ? '}' : ']', object ? '}' : ']', next);
  node = Space(node);
  std::vector<std::pair<std::string, const OrderedJson*>> members;
  for (const auto& [name, member] : value.items()) members.emplace_back(name, &member);
  for (size_t i = members.size(); i-- > 0;) {
    node = AddJson(*members[i].second, node);
    if (object) node = grammar_.AddText(StringText(members[i].first) + ":", OneSpace(node));
    if (i > 0) node = grammar_.AddByte(',', ',', Space(node));
  }
  if (!members.empty()) node = Space(node);
  return grammar_.AddByte(object ? '{' : '[', object ? '{' : '[', node);
}

Result<int> SchemaCompiler::AddNumber(const Alternative& alternative, int next) {
  using Kind = Assertion::Kind;
  std::optional<Dfa> dfa;
  const auto restrict_to = [&](Dfa set, bool holds) -> Status {
    if (!dfa && holds) {  // every set is one of decimals
      dfa = std::move(set);
      return OkStatus();
    }
    ASSIGN_OR_RETURN(dfa, Combine(dfa ? *dfa : Decimals(), set,
                                  holds ? Combination::kAnd : Combination::kMinus));
    return OkStatus();
  };
  std::string key;
  for (const Assertion& a : alternative) {
    key += std::to_string(static_cast<int>(a.kind)) + (a.holds ? "+" : "-") + a.number.Text() +
           (a.less ? "<" : "") + (a.equal ? "=" : "") + (a.greater ? ">" : "");
    if (a.kind == Kind::kEnum) key += a.values->dump() + (a.single ? "." : "");
  }
  if (const auto it = numbers_.find(key); it != numbers_.end())
    return grammar_.AddDfa(it->second, next);
  for (const Assertion& a : alternative) {
    Status status;
    if (a.kind == Kind::kInteger) {
      status = restrict_to(a.holds ? IntegerTexts() : IntegerValues(), a.holds);
    } else if (a.kind == Kind::kCompared) {
      status = restrict_to(Compared(a.number, a.less, a.equal, a.greater), true);
    } else if (a.kind == Kind::kMultiple) {
      const Result<Dfa> multiples = MultiplesOf(a.number);
      if (!multiples.ok())
        return document_.Refuse(a.id, "multipleOf", multiples.status().message());
      status = restrict_to(*multiples, a.holds);
    } else if (a.kind == Kind::kEnum) {
      for (size_t i = 0; i < (a.single ? 1 : a.values->size()) && status.ok(); ++i) {
        const OrderedJson& value = a.single ? *a.values : (*a.values)[i];
        if (!value.is_number()) continue;
        ASSIGN_OR_RETURN(const Decimal number, DecimalOf(value.dump()));
        status = restrict_to(Compared(number, false, true, false), false);
      }
    }
    if (!status.ok()) {
      return Status(status.code(),
                    document_.Bad(a.id, "number", "its bounds: " + status.message()).message());
    }
  }
  const int table = grammar_.AddDfaTable(dfa ? *std::move(dfa) : AnyNumber());
  numbers_[key] = table;
  return grammar_.AddDfa(table, next);
}

Result<std::optional<SchemaCompiler::TextRange>> SchemaCompiler::TextOf(
    const Alternative& alternative) {
  using Kind = Assertion::Kind;
  TextRange range{AnyText(), 0, -1};
  bool any = true;
  const auto restrict_to = [&](const Dfa& set, bool holds) -> Result<Dfa> {
    if (any && holds) return set;  // every pattern and format is one of well-formed texts
    return Combine(range.dfa, set, holds ? Combination::kAnd : Combination::kMinus);
  };
  const auto at_most = [&](int64_t max) {
    if (max >= 0) range.max = range.max < 0 ? max : std::min(range.max, max);
  };
  for (const Assertion& a : alternative) {
    if (a.kind == Kind::kLength) {
      range.min = std::max(range.min, a.min);
      at_most(a.max);
      continue;
    }
    Result<Dfa> dfa = Dfa();
    std::string_view keyword = "pattern";
    if (a.kind == Kind::kPattern) {
      ASSIGN_OR_RETURN(const Dfa* pattern, expander_.PatternDfa(a));
      dfa = restrict_to(*pattern, a.holds);
    } else if (a.kind == Kind::kFormat) {
      keyword = "format";
      ASSIGN_OR_RETURN(const FormatLanguage* format, expander_.Format(a));
      at_most(format->max_length);
      dfa = restrict_to(format->dfa, a.holds);
    } else if (a.kind == Kind::kEnum) {  // negated
      keyword = "enum";
      std::vector<std::string> texts;
      for (size_t i = 0; i < (a.single ? 1 : a.values->size()); ++i) {
        const OrderedJson& value = a.single ? *a.values : (*a.values)[i];
        if (value.is_string()) texts.push_back(value.get<std::string>());
      }
      if (texts.empty()) continue;
      dfa = FiniteSet(texts);
      if (dfa.ok()) dfa = restrict_to(*dfa, false);
    } else {
      continue;
    }
    any = false;
    if (!dfa.ok())
      return Status(dfa.status().code(),
                    document_.Bad(a.id, keyword, dfa.status().message()).message());
    range.dfa = *std::move(dfa);
  }
  if (range.dfa.empty() || (range.max >= 0 && range.min > range.max))
    return std::optional<TextRange>();
  return std::optional<TextRange>(std::move(range));
}

Result<int> SchemaCompiler::Language(const TextRange& range) {
  const std::string key =
      std::to_string(range.min) + "," + std::to_string(range.max) + "," + Signature(range.dfa);
  if (const auto it = languages_.find(key); it != languages_.end()) return it->second;
  const Result<int> language = grammar_.AddStringLanguage(range.dfa, range.min, range.max);
  if (!language.ok())
    return language.status().WithContext("schema: minLength, maxLength and pattern together");
  languages_[key] = *language;
  return language;
}

bool SchemaCompiler::Disjoint(SchemaRef a, SchemaRef b, JsonType type) {
  if (b < a) std::swap(a, b);
  const auto key = std::make_tuple(a, b, type);
  if (const auto it = disjoint_.find(key); it != disjoint_.end()) return it->second;
  if (disjoint_depth_ > 2) return false;
  ++disjoint_depth_;
  const size_t made = made_.size();
  const int depth = depth_;
  Conjunction both;
  AddRef(&both, a);
  AddRef(&both, b);
  std::vector<int32_t> targets;
  const Status status = AddType(both, type, grammar_.AddReturn(), &targets);
  --disjoint_depth_;
  if (!status.ok()) {  // rules that were begun, and what may lean on them
    for (size_t i = made; i < made_.size(); ++i) rules_.erase(made_[i]);
    made_.resize(made);
    depth_ = depth;
  }
  bool apart = status.ok();
  for (const int target : targets) apart = apart && !grammar_.Productive(target, true);
  return disjoint_[key] = apart;
}

Result<std::optional<std::vector<OrderedJson>>> SchemaCompiler::FewValues(
    const Conjunction& conjunction) {
  std::vector<OrderedJson> values;
  std::set<std::string> seen;
  for (const JsonType type : kJsonTypes) {
    ASSIGN_OR_RETURN(const Alternatives alternatives, expander_.Expand(conjunction, type));
    for (const Alternative& alternative : alternatives) {
      std::vector<OrderedJson> candidates;
      if (type == JsonType::kNull) candidates = {nullptr};
      if (type == JsonType::kBoolean) candidates = {true, false};
      const auto named = std::find_if(
          alternative.begin(), alternative.end(),
          [](const Assertion& a) { return a.kind == Assertion::Kind::kEnum && a.holds; });
      if (named != alternative.end()) {
        if (named->single)
          candidates = {*named->values};
        else
          candidates.assign(named->values->begin(), named->values->end());
      }
      if (candidates.empty()) return std::optional<std::vector<OrderedJson>>();
      for (const OrderedJson& value : candidates) {
        if (TypeOf(value) != type) continue;
        bool valid = true;
        for (const Assertion& assertion : alternative) {
          ASSIGN_OR_RETURN(valid, expander_.Holds(assertion, value));
          if (!valid) break;
        }
        if (valid && seen.insert(CanonicalText(value)).second) values.push_back(value);
      }
      if (values.size() > kFewValues) return std::optional<std::vector<OrderedJson>>();
    }
  }
  return std::optional<std::vector<OrderedJson>>(std::move(values));
}

Result<Grammar> CompileSchema(std::string_view schema, bool flexible) {
  ASSIGN_OR_RETURN(SchemaDocument document, SchemaDocument::Parse(schema));
  return SchemaCompiler(std::move(document), flexible).Compile();
}

}  // namespace galen::grammar
