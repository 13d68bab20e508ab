// Arrays: a node for each number of items (and of items that satisfy "contains", or of values that
// were used) as far as it matters.
#include <algorithm>

#include "grammar/schema_compiler.h"

namespace galen::grammar {
namespace {

constexpr int64_t kMaxArrayStates = 50000;

}  // namespace

class SchemaCompiler::ArrayBuilder {
 public:
  ArrayBuilder(SchemaCompiler* compiler, const Alternative& alternative)
      : c_(*compiler), alternative_(alternative) {}

  Status Build(int next, std::vector<int32_t>* targets) {
    Grammar& grammar = c_.grammar_;
    RETURN_IF_ERROR(Collect());
    if (contains_ != nullptr && unique_ != nullptr) {
      return c_.document_.Refuse(unique_->id, "uniqueItems", "is not enforced beside contains");
    }
    if (max_ >= 0 && min_ > max_) return OkStatus();
    close_ = grammar.AddByte(']', ']', next);
    int inside = -1;
    if (unique_ != nullptr && (max_ < 0 || max_ > 1)) {
      ASSIGN_OR_RETURN(inside, UniqueStart());
    } else if (contains_ != nullptr) {
      ASSIGN_OR_RETURN(inside, CountedStart());
    } else {
      ASSIGN_OR_RETURN(inside, PlainStart());
    }
    targets->push_back(grammar.AddByte('[', '[', c_.Space(inside)));
    return OkStatus();
  }

 private:
  Status Collect() {
    using Kind = Assertion::Kind;
    for (const Assertion& a : alternative_) {
      switch (a.kind) {
        case Kind::kItemGroup:
          groups_.push_back(&a);
          if (const OrderedJson* prefix = c_.document_.Find(a.id, "prefixItems"))
            prefix_ = std::max(prefix_, static_cast<int64_t>(prefix->size()));
          break;
        case Kind::kItem:
          items_.push_back(&a);
          prefix_ = std::max(prefix_, a.min + 1);
          break;
        case Kind::kCount:
          min_ = std::max(min_, a.min);
          if (a.max >= 0) max_ = max_ < 0 ? a.max : std::min(max_, a.max);
          break;
        case Kind::kContains:
          if (a.min == 0 && a.max < 0) break;
          if (contains_ != nullptr) {
            return c_.document_.Refuse(a.id, "contains",
                                       "is not enforced together with another one, or with the "
                                       "opposite of items");
          }
          contains_ = &a;
          break;
        case Kind::kUnique:
          unique_ = &a;
          break;
        case Kind::kEnum:  // negated
          for (size_t i = 0; i < (a.single ? 1 : a.values->size()); ++i) {
            if ((a.single ? *a.values : (*a.values)[i]).is_array()) {
              return c_.document_.Refuse(a.id, a.single ? "const" : "enum",
                                         "excluding a list (not, oneOf, if) is not enforced");
            }
          }
          break;
        default:
          break;
      }
    }
    return OkStatus();
  }

  // What item i must satisfy; i = prefix_: all from there on.
  Result<Conjunction> Item(int64_t i) {
    Conjunction all;
    for (const Assertion* group : groups_) {
      const OrderedJson* prefix = c_.document_.Find(group->id, "prefixItems");
      const int64_t first = prefix == nullptr ? 0 : static_cast<int64_t>(prefix->size());
      if (i >= first && c_.document_.Find(group->id, group->text) == nullptr) continue;
      ASSIGN_OR_RETURN(const SchemaId child,
                       i < first
                           ? c_.document_.Child(group->id, "prefixItems", static_cast<size_t>(i))
                           : c_.document_.Child(group->id, group->text));
      AddRef(&all, {child, true});
    }
    for (const Assertion* item : items_) {
      if (item->min == i) AddRef(&all, item->ref);
    }
    return all;
  }

  int Close() { return c_.Space(close_); }
  int Comma(int next) { return c_.grammar_.AddByte(',', ',', c_.Space(next)); }

  Result<int> PlainStart() {
    Grammar& grammar = c_.grammar_;
    const int64_t first = std::max<int64_t>(prefix_, 1);  // items with nodes of their own
    if (first > kMaxArrayStates)
      return ResourceExhausted("schema: an array of too many kinds of items");
    // Behind `first` items: as many more as the bounds allow.
    ASSIGN_OR_RETURN(const Conjunction rest, Item(prefix_));
    int after = Close();
    if (max_ < 0 || max_ > first) {
      ASSIGN_OR_RETURN(const int rule, c_.ValueRule(rest));
      const int body = Comma(grammar.AddCall(rule, grammar.AddReturn()));
      after = grammar.AddLoop(body, std::max<int64_t>(0, min_ - first),
                              max_ < 0 ? -1 : max_ - first, after);
    } else if (min_ > first) {
      after = grammar.AddSplit({});
    }
    for (int64_t i = first; i-- > 0;) {
      // `after`: what follows item i.
      std::vector<int32_t> targets;
      if (i >= min_) targets.push_back(i == 0 ? close_ : Close());
      if (max_ < 0 || i < max_) {
        ASSIGN_OR_RETURN(const Conjunction item, Item(i));
        ASSIGN_OR_RETURN(const int rule, c_.ValueRule(item));
        const int call = grammar.AddCall(rule, after);
        targets.push_back(i == 0 ? call : Comma(call));
      }
      after = grammar.AddSplit(std::move(targets));
    }
    return after;
  }

  // With "contains": a node for i items of which k satisfy it, both up to where more of them make
  // no difference.
  Result<int> CountedStart() {
    const int64_t top_k = contains_->max < 0 ? contains_->min : contains_->max + 1;
    const int64_t top_i = std::max({prefix_, min_, max_ < 0 ? 0 : max_ + 1, int64_t{1}});
    if (top_k >= kMaxArrayStates || top_i >= kMaxArrayStates ||
        (top_k + 1) * (top_i + 1) > kMaxArrayStates) {
      return ResourceExhausted("schema: \"contains\" at " + c_.document_.path(contains_->id) +
                               ": its counts take too many states");
    }
    Grammar& grammar = c_.grammar_;
    std::vector<int> nodes((top_k + 1) * (top_i + 1));
    for (int& node : nodes) node = grammar.AddOpenSplit();
    const auto at = [&](int64_t i, int64_t k) {
      return nodes[std::min(i, top_i) * (top_k + 1) + std::min(k, top_k)];
    };
    const SchemaRef with = contains_->ref;
    for (int64_t i = 0; i <= top_i; ++i) {
      ASSIGN_OR_RETURN(const Conjunction item, Item(std::min(i, prefix_)));
      for (int64_t k = 0; k <= top_k; ++k) {
        const bool enough = k >= contains_->min && (contains_->max < 0 || k <= contains_->max);
        std::vector<int32_t> targets;
        if (i >= min_ && enough && (max_ < 0 || i <= max_))
          targets.push_back(i == 0 ? close_ : Close());
        const bool over = contains_->max >= 0 && k > contains_->max;
        if (!over && (max_ < 0 || i < max_)) {
          const auto add = [&](const Conjunction& conjunction, int64_t matches) -> Status {
            ASSIGN_OR_RETURN(const int rule, c_.ValueRule(conjunction));
            const int call = grammar.AddCall(rule, at(i + 1, k + matches));
            targets.push_back(i == 0 ? call : Comma(call));
            return OkStatus();
          };
          Conjunction match = item, other = item;
          AddRef(&match, with);
          AddRef(&other, {with.id, !with.holds});
          if (contains_->max < 0) {
            // Any item may count as one that does not match: only existence is asked for.
            RETURN_IF_ERROR(add(item, 0));
            if (k < top_k) RETURN_IF_ERROR(add(match, 1));
          } else {
            RETURN_IF_ERROR(add(match, 1));
            RETURN_IF_ERROR(add(other, 0));
          }
        }
        grammar.SetSplit(at(i, k), std::move(targets));
      }
    }
    return at(0, 0);
  }

  // With "uniqueItems": a node for each set of values that were used.
  Result<int> UniqueStart() {
    Grammar& grammar = c_.grammar_;
    ASSIGN_OR_RETURN(const Conjunction rest, Item(prefix_));
    std::optional<std::vector<OrderedJson>> values;
    if (prefix_ == 0) {
      ASSIGN_OR_RETURN(values, c_.FewValues(rest));
    }
    if (!values) {
      return c_.document_.Refuse(unique_->id, "uniqueItems",
                                 "is enforced only where the items are of one enum with at most "
                                 "12 values, or at most one item is allowed (maxItems)");
    }
    const size_t n = values->size();
    std::vector<int> nodes(size_t{1} << n);
    for (int& node : nodes) node = grammar.AddOpenSplit();
    for (size_t used = 0; used < nodes.size(); ++used) {
      const int64_t count = __builtin_popcountll(used);
      std::vector<int32_t> targets;
      if (count >= min_) targets.push_back(count == 0 ? close_ : Close());
      std::vector<int32_t> items;
      for (size_t v = 0; v < n && (max_ < 0 || count < max_); ++v) {
        if ((used >> v & 1) == 0)
          items.push_back(c_.AddJson((*values)[v], nodes[used | size_t{1} << v]));
      }
      if (!items.empty()) {
        const int split = grammar.AddSplit(std::move(items));
        targets.push_back(count == 0 ? split : Comma(split));
      }
      grammar.SetSplit(nodes[used], std::move(targets));
    }
    return nodes[0];
  }

  SchemaCompiler& c_;
  const Alternative& alternative_;
  std::vector<const Assertion*> groups_, items_;
  const Assertion* contains_ = nullptr;
  const Assertion* unique_ = nullptr;
  int64_t prefix_ = 0, min_ = 0, max_ = -1;
  int close_ = -1;
};

Status SchemaCompiler::AddArray(const Alternative& alternative, int next,
                                std::vector<int32_t>* targets) {
  return ArrayBuilder(this, alternative).Build(next, targets);
}

}  // namespace galen::grammar
