// Objects: properties that schemas name come first, in the order in which they are named; then the
// others. A node for each next property and number of properties, as far as it matters.
#include <algorithm>

#include "grammar/schema_compiler.h"

namespace galen::grammar {
namespace {

constexpr size_t kMaxPatterns = 6;
constexpr size_t kMaxNames = 2000;  // the nodes are made recursively
constexpr int64_t kMaxObjectStates = 200000;

}  // namespace

class SchemaCompiler::ObjectBuilder {
 public:
  ObjectBuilder(SchemaCompiler* compiler, const Alternative& alternative)
      : c_(*compiler), alternative_(alternative) {}

  Status Build(int next, std::vector<int32_t>* targets) {
    ASSIGN_OR_RETURN(const bool possible, Collect());
    if (!possible || (max_ >= 0 && min_ > max_)) return OkStatus();
    RETURN_IF_ERROR(FindExtras());
    const int64_t required =
        std::count_if(names_.begin(), names_.end(), [](const Name& n) { return n.required; });
    if (max_ >= 0 && required > max_) return OkStatus();
    // Whether two names that no schema lists are the same, an automaton does not see.
    if (!extras_.empty() && min_ > std::max<int64_t>(1, required + 1)) {
      return c_.document_.Refuse(count_id_, "minProperties",
                                 "is enforced up to the number of required properties and one "
                                 "more, unless additionalProperties is false");
    }
    top_ = std::max({int64_t{1}, min_, max_});
    if ((top_ + 1) * static_cast<int64_t>(names_.size() + 1) > kMaxObjectStates) {
      return ResourceExhausted("schema: " + c_.document_.path(count_id_) +
                               ": the counts of its properties take too many states");
    }
    for (Name& name : names_) {
      ASSIGN_OR_RETURN(const Conjunction value, ValueOf(name.text));
      ASSIGN_OR_RETURN(name.value, c_.ValueRule(value));
    }
    close_ = c_.grammar_.AddByte('}', '}', next);
    // Before the first property: the empty object, or a name.
    ASSIGN_OR_RETURN(const int keys, Keys(0, 0));
    std::vector<int32_t> first{c_.grammar_.AddByte('"', '"', keys)};
    if (MayEnd(0, 0)) first.push_back(close_);
    const int inside = c_.grammar_.AddSplit(std::move(first));
    targets->push_back(c_.grammar_.AddByte('{', '{', c_.Space(inside)));
    return OkStatus();
  }

 private:
  struct Name {
    std::string text;
    bool required = false;
    int value = -1;  // rule
  };

  // False if the alternative cannot be satisfied.
  Result<bool> Collect() {
    using Kind = Assertion::Kind;
    std::set<std::string> absent, required;
    for (const Assertion& a : alternative_) {
      switch (a.kind) {
        case Kind::kGroup:
          groups_.push_back(&a);
          if (const OrderedJson* properties = c_.document_.Find(a.id, "properties")) {
            for (const auto& [name, unused] : properties->items()) AddName(name);
          }
          break;
        case Kind::kProperty:
          AddName(a.text);
          properties_.push_back(&a);
          break;
        case Kind::kAbsent:
          absent.insert(a.text);
          break;
        case Kind::kRequired:
          required.insert(a.text);
          break;
        case Kind::kNames:
          AddRef(&name_rule_, a.ref);
          break;
        case Kind::kCount:
          min_ = std::max(min_, a.min);
          if (a.max >= 0) max_ = max_ < 0 ? a.max : std::min(max_, a.max);
          count_id_ = a.id;
          break;
        case Kind::kEnum:  // negated
          for (size_t i = 0; i < (a.single ? 1 : a.values->size()); ++i) {
            if ((a.single ? *a.values : (*a.values)[i]).is_object()) {
              return c_.document_.Refuse(a.id, a.single ? "const" : "enum",
                                         "excluding an object (not, oneOf, if) is not enforced");
            }
          }
          break;
        default:
          break;
      }
    }
    for (const Assertion& a : alternative_) {
      if (a.kind == Kind::kRequired) AddName(a.text);
    }
    for (const std::string& name : absent) {
      if (required.contains(name)) return false;
      AddName(name);  // so that it is no additional one
    }
    listed_.clear();
    std::vector<Name> names;
    for (Name& name : names_) {
      listed_.push_back(name.text);
      name.required = required.contains(name.text);
      bool allowed = !absent.contains(name.text);
      for (const SchemaRef& ref : name_rule_) {
        if (!allowed) break;
        ASSIGN_OR_RETURN(allowed, c_.expander_.Holds(ref, OrderedJson(name.text)));
      }
      if (!allowed && name.required) return false;
      if (allowed) names.push_back(name);
    }
    names_ = std::move(names);
    if (names_.size() > kMaxNames) {
      return ResourceExhausted("schema: an object of more than " + std::to_string(kMaxNames) +
                               " named properties");
    }
    return true;
  }

  void AddName(const std::string& text) {
    if (known_.insert(text).second) names_.push_back({text});
  }

  Result<const Dfa*> Pattern(SchemaId id, const std::string& text) {
    Assertion matches;
    matches.kind = Assertion::Kind::kPattern;
    matches.id = id;
    matches.text = text;
    return c_.expander_.PatternDfa(matches);
  }

  // What the value of a property must satisfy; `matches` says which patterns fit its name.
  template <typename Matches>
  Result<Conjunction> Value(const std::string* name, const Matches& matches) {
    Conjunction all;
    for (const Assertion* group : groups_) {
      bool listed = false;
      const OrderedJson* properties = c_.document_.Find(group->id, "properties");
      if (name != nullptr && properties != nullptr && properties->contains(*name)) {
        ASSIGN_OR_RETURN(const SchemaId child, c_.document_.Child(group->id, "properties", *name));
        AddRef(&all, {child, true});
        listed = true;
      }
      if (const OrderedJson* patterns = c_.document_.Find(group->id, "patternProperties")) {
        for (const auto& [pattern, unused] : patterns->items()) {
          ASSIGN_OR_RETURN(const bool fits, matches(group->id, pattern));
          if (!fits) continue;
          ASSIGN_OR_RETURN(const SchemaId child,
                           c_.document_.Child(group->id, "patternProperties", pattern));
          AddRef(&all, {child, true});
          listed = true;
        }
      }
      if (!listed && c_.document_.Find(group->id, group->text) != nullptr) {
        ASSIGN_OR_RETURN(const SchemaId child, c_.document_.Child(group->id, group->text));
        AddRef(&all, {child, true});
      }
    }
    for (const Assertion* property : properties_) {
      if (name != nullptr && property->text == *name) AddRef(&all, property->ref);
    }
    return all;
  }

  Result<Conjunction> ValueOf(const std::string& name) {
    return Value(&name, [&](SchemaId id, const std::string& pattern) -> Result<bool> {
      ASSIGN_OR_RETURN(const Dfa* dfa, Pattern(id, pattern));
      return dfa->Accepts(name);
    });
  }

  // The names that are not listed, by which of the patterns fit.
  Status FindExtras() {
    std::vector<std::pair<std::string, const Dfa*>> patterns;
    for (const Assertion* group : groups_) {
      const OrderedJson* own = c_.document_.Find(group->id, "patternProperties");
      if (own == nullptr) continue;
      for (const auto& [pattern, unused] : own->items()) {
        const std::string text = pattern;
        const bool known = std::any_of(patterns.begin(), patterns.end(),
                                       [&](const auto& p) { return p.first == text; });
        if (known) continue;
        ASSIGN_OR_RETURN(const Dfa* dfa, Pattern(group->id, text));
        patterns.emplace_back(text, dfa);
        if (patterns.size() > kMaxPatterns) {
          return c_.document_.Refuse(group->id, "patternProperties",
                                     "more than " + std::to_string(kMaxPatterns) +
                                         " patterns for one object are not enforced");
        }
      }
    }
    Dfa others = AnyText();
    if (!listed_.empty()) {
      ASSIGN_OR_RETURN(const Dfa listed, FiniteSet(listed_));
      ASSIGN_OR_RETURN(others, Combine(others, listed, Combination::kMinus));
    }
    std::vector<TextRange> allowed{{AnyText(), 0, -1}};
    if (!name_rule_.empty()) {
      allowed.clear();
      ASSIGN_OR_RETURN(const Alternatives alternatives,
                       c_.expander_.Expand(name_rule_, JsonType::kString));
      for (const Alternative& alternative : alternatives) {
        ASSIGN_OR_RETURN(std::optional<TextRange> range, NamesOf(alternative));
        if (range) allowed.push_back(*std::move(range));
      }
    }
    for (size_t fit = 0; fit < size_t{1} << patterns.size(); ++fit) {
      const auto matches = [&](SchemaId, const std::string& text) -> Result<bool> {
        for (size_t p = 0; p < patterns.size(); ++p) {
          if (patterns[p].first == text) return (fit >> p & 1) != 0;
        }
        return false;
      };
      ASSIGN_OR_RETURN(const Conjunction value, Value(nullptr, matches));
      if (c_.Never(value)) continue;
      Dfa names = others;
      for (size_t p = 0; p < patterns.size() && !names.empty(); ++p) {
        ASSIGN_OR_RETURN(names, Combine(names, *patterns[p].second,
                                        fit >> p & 1 ? Combination::kAnd : Combination::kMinus));
      }
      if (names.empty()) continue;
      Extra extra;
      for (const TextRange& range : allowed) {
        ASSIGN_OR_RETURN(const Dfa both, Combine(names, range.dfa, Combination::kAnd));
        if (both.empty()) continue;
        ASSIGN_OR_RETURN(const int language, c_.Language({both, range.min, range.max}));
        extra.languages.push_back(language);
      }
      if (extra.languages.empty()) continue;
      ASSIGN_OR_RETURN(extra.value, c_.ValueRule(value));
      extras_.push_back(std::move(extra));
    }
    return OkStatus();
  }

  // The names that an alternative of propertyNames allows.
  Result<std::optional<TextRange>> NamesOf(const Alternative& alternative) {
    const auto named = std::find_if(alternative.begin(), alternative.end(), [](const Assertion& a) {
      return a.kind == Assertion::Kind::kEnum && a.holds;
    });
    if (named == alternative.end()) return c_.TextOf(alternative);
    std::vector<std::string> texts;
    for (size_t i = 0; i < (named->single ? 1 : named->values->size()); ++i) {
      const OrderedJson& value = named->single ? *named->values : (*named->values)[i];
      if (!value.is_string()) continue;
      bool valid = true;
      for (const Assertion& a : alternative) {
        ASSIGN_OR_RETURN(valid, c_.expander_.Holds(a, value));
        if (!valid) break;
      }
      if (valid) texts.push_back(value.get<std::string>());
    }
    if (texts.empty()) return std::optional<TextRange>();
    ASSIGN_OR_RETURN(Dfa dfa, FiniteSet(texts));
    return std::optional<TextRange>(TextRange{std::move(dfa), 0, -1});
  }

  bool MayEnd(size_t i, int64_t count) const {
    for (size_t j = i; j < names_.size(); ++j) {
      if (names_[j].required) return false;
    }
    return count >= min_;
  }

  // Behind a property: names from i on are left, `count` properties are there.
  Result<int> After(size_t i, int64_t count) {
    count = std::min(count, top_);
    const auto [it, is_new] = after_.try_emplace({i, count}, -1);
    if (!is_new) return it->second;
    const int node = it->second = c_.grammar_.AddOpenSplit();
    std::vector<int32_t> targets;
    if (MayEnd(i, count)) targets.push_back(c_.Space(close_));
    if (max_ < 0 || count < max_) {
      ASSIGN_OR_RETURN(const int keys, Keys(i, count));
      targets.push_back(
          c_.grammar_.AddByte(',', ',', c_.Space(c_.grammar_.AddByte('"', '"', keys))));
    }
    c_.grammar_.SetSplit(node, std::move(targets));
    return node;
  }

  // Behind the opening quote of a name.
  Result<int> Keys(size_t first, int64_t count) {
    RETURN_IF_ERROR(c_.CheckTime());
    std::vector<int32_t> targets;
    if (max_ >= 0 && count >= max_) return c_.grammar_.AddSplit({});
    size_t i = first;
    for (; i < names_.size(); ++i) {
      const auto [it, is_new] = keys_.try_emplace({i, count}, -1);
      if (is_new) {
        ASSIGN_OR_RETURN(const int after, After(i + 1, count + 1));
        const int colon = c_.OneSpace(c_.grammar_.AddCall(names_[i].value, after));
        keys_[{i, count}] = c_.grammar_.AddText(StringText(names_[i].text).substr(1) + ":", colon);
      }
      targets.push_back(keys_[{i, count}]);
      if (names_[i].required) break;
    }
    if (i == names_.size() && !extras_.empty()) {
      ASSIGN_OR_RETURN(const int after, After(i, count + 1));
      for (const Extra& extra : extras_) {
        const int colon =
            c_.grammar_.AddByte(':', ':', c_.OneSpace(c_.grammar_.AddCall(extra.value, after)));
        for (const int language : extra.languages)
          targets.push_back(c_.grammar_.AddString(language, colon));
      }
    }
    return c_.grammar_.AddSplit(std::move(targets));
  }

  SchemaCompiler& c_;
  const Alternative& alternative_;
  std::vector<const Assertion*> groups_, properties_;
  Conjunction name_rule_;
  std::vector<Name> names_;
  std::vector<std::string> listed_;  // all that are known, allowed or not
  std::set<std::string> known_;
  std::vector<Extra> extras_;
  int64_t min_ = 0, max_ = -1, top_ = 1;
  SchemaId count_id_ = 0;
  int close_ = -1;
  std::map<std::pair<size_t, int64_t>, int> after_, keys_;
};

Status SchemaCompiler::AddObject(const Alternative& alternative, int next,
                                 std::vector<int32_t>* targets) {
  return ObjectBuilder(this, alternative).Build(next, targets);
}

}  // namespace galen::grammar
