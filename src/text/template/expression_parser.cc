#include "text/template/expression_parser.h"

#include <optional>

namespace galen::jinja {
namespace {

// Python's own parser stops near these, so that no template in use comes close.
constexpr int kMaxNesting = 120;
constexpr int kMaxDepth = 250;

std::optional<Operator> SumOperator(const Token& t) {
  if (t.Is("+")) return Operator::kAdd;
  if (t.Is("-")) return Operator::kSub;
  return std::nullopt;
}

std::optional<Operator> ProductOperator(const Token& t) {
  if (t.Is("*")) return Operator::kMul;
  if (t.Is("/")) return Operator::kDiv;
  if (t.Is("//")) return Operator::kFloorDiv;
  if (t.Is("%")) return Operator::kMod;
  return std::nullopt;
}

std::optional<Operator> CompareOperator(const Token& t) {
  if (t.Is("==")) return Operator::kEq;
  if (t.Is("!=")) return Operator::kNe;
  if (t.Is("<")) return Operator::kLt;
  if (t.Is("<=")) return Operator::kLe;
  if (t.Is(">")) return Operator::kGt;
  if (t.Is(">=")) return Operator::kGe;
  if (t.IsName("in")) return Operator::kIn;
  return std::nullopt;
}

}  // namespace

bool ExpressionParser::SkipOperator(std::string_view op) {
  if (!current().Is(op)) return false;
  Next();
  return true;
}

bool ExpressionParser::SkipName(std::string_view name) {
  if (!current().IsName(name)) return false;
  Next();
  return true;
}

Status ExpressionParser::Unexpected(std::string_view expected) const {
  if (current().kind == TokenKind::kEnd) {
    return SyntaxError(current().line,
                       "unexpected end of template, expected '" + std::string(expected) + "'");
  }
  return SyntaxError(current().line, "expected token '" + std::string(expected) + "', got '" +
                                         Describe(current()) + "'");
}

Status ExpressionParser::ExpectOperator(std::string_view op) {
  return SkipOperator(op) ? OkStatus() : Unexpected(op);
}

Status ExpressionParser::ExpectKind(TokenKind kind, std::string_view what) {
  if (current().kind != kind) return Unexpected(what);
  Next();
  return OkStatus();
}

Result<std::string> ExpressionParser::ExpectName() {
  if (current().kind != TokenKind::kName) return Unexpected("name");
  return Next().text;
}

NameId ExpressionParser::Intern(const std::string& name) {
  const auto [it, added] =
      syntax_->name_ids.emplace(name, static_cast<NameId>(syntax_->names.size()));
  if (added) syntax_->names.push_back(name);
  return it->second;
}

Status ExpressionParser::CheckDepth(const Node* node) const {
  if (node->depth <= kMaxDepth) return OkStatus();
  return SyntaxError(node->line,
                     "an expression chains more than " + std::to_string(kMaxDepth) + " operations");
}

Status ExpressionParser::CheckNesting() const {
  if (nesting_ <= kMaxNesting) return OkStatus();
  return SyntaxError(current().line,
                     "more than " + std::to_string(kMaxNesting) + " levels of nesting");
}

Result<Expr*> ExpressionParser::MakeBinary(ExprKind kind, Operator op, int line, Expr* left,
                                           Expr* right) {
  auto* node = Make<OperatorExpr>(line, kind, op, left, right);
  Raise(node, left);
  Raise(node, right);
  RETURN_IF_ERROR(CheckDepth(node));
  return node;
}

Result<Expr*> ExpressionParser::ParseExpression() {
  const Nesting nesting(&nesting_);
  RETURN_IF_ERROR(CheckNesting());
  return ParseConditional();
}

Result<Expr*> ExpressionParser::ParseConditional() {
  ASSIGN_OR_RETURN(Expr * value, ParseOr());
  while (current().IsName("if")) {
    auto* node = Make<ConditionalExpr>(current().line);
    Next();
    node->then = value;
    ASSIGN_OR_RETURN(node->test, ParseOr());
    if (SkipName("else")) {
      ASSIGN_OR_RETURN(node->otherwise, ParseExpression());
    }
    for (const Expr* part : {node->then, node->test, node->otherwise}) Raise(node, part);
    RETURN_IF_ERROR(CheckDepth(node));
    value = node;
  }
  return value;
}

Result<Expr*> ExpressionParser::ParseOr() {
  ASSIGN_OR_RETURN(Expr * left, ParseAnd());
  while (current().IsName("or")) {
    const int line = Next().line;
    ASSIGN_OR_RETURN(Expr * right, ParseAnd());
    ASSIGN_OR_RETURN(left, MakeBinary(ExprKind::kOr, Operator::kAdd, line, left, right));
  }
  return left;
}

Result<Expr*> ExpressionParser::ParseAnd() {
  ASSIGN_OR_RETURN(Expr * left, ParseNot());
  while (current().IsName("and")) {
    const int line = Next().line;
    ASSIGN_OR_RETURN(Expr * right, ParseNot());
    ASSIGN_OR_RETURN(left, MakeBinary(ExprKind::kAnd, Operator::kAdd, line, left, right));
  }
  return left;
}

Result<Expr*> ExpressionParser::ParseNot() {
  if (!current().IsName("not")) return ParseCompare();
  const Nesting nesting(&nesting_);
  RETURN_IF_ERROR(CheckNesting());
  const int line = Next().line;
  ASSIGN_OR_RETURN(Expr * operand, ParseNot());
  return MakeBinary(ExprKind::kNot, Operator::kAdd, line, operand, nullptr);
}

Result<Expr*> ExpressionParser::ParseCompare() {
  ASSIGN_OR_RETURN(Expr * first, ParseSum());
  CompareExpr* node = nullptr;
  while (true) {
    std::optional<Operator> op = CompareOperator(current());
    if (!op && current().IsName("not") && ahead().IsName("in")) {
      op = Operator::kNotIn;
      Next();
    }
    if (!op) break;
    const int line = Next().line;
    if (node == nullptr) {
      node = Make<CompareExpr>(line);
      node->first = first;
      Raise(node, first);
    }
    ASSIGN_OR_RETURN(Expr * operand, ParseSum());
    node->rest.emplace_back(*op, operand);
    Raise(node, operand);
  }
  if (node == nullptr) return first;
  RETURN_IF_ERROR(CheckDepth(node));
  return node;
}

Result<Expr*> ExpressionParser::ParseSum() {
  ASSIGN_OR_RETURN(Expr * left, ParseConcat());
  while (const auto op = SumOperator(current())) {
    const int line = Next().line;
    ASSIGN_OR_RETURN(Expr * right, ParseConcat());
    ASSIGN_OR_RETURN(left, MakeBinary(ExprKind::kBinary, *op, line, left, right));
  }
  return left;
}

Result<Expr*> ExpressionParser::ParseConcat() {
  ASSIGN_OR_RETURN(Expr * first, ParseProduct());
  if (!current().Is("~")) return first;
  auto* node = Make<RowExpr>(current().line, ExprKind::kConcat, std::vector<Expr*>{first});
  Raise(node, first);
  while (SkipOperator("~")) {
    ASSIGN_OR_RETURN(Expr * item, ParseProduct());
    node->items.push_back(item);
    Raise(node, item);
  }
  RETURN_IF_ERROR(CheckDepth(node));
  return node;
}

Result<Expr*> ExpressionParser::ParseProduct() {
  ASSIGN_OR_RETURN(Expr * left, ParsePower());
  while (const auto op = ProductOperator(current())) {
    const int line = Next().line;
    ASSIGN_OR_RETURN(Expr * right, ParsePower());
    ASSIGN_OR_RETURN(left, MakeBinary(ExprKind::kBinary, *op, line, left, right));
  }
  return left;
}

Result<Expr*> ExpressionParser::ParsePower() {
  ASSIGN_OR_RETURN(Expr * left, ParseUnary(true));
  while (current().Is("**")) {
    const int line = Next().line;
    ASSIGN_OR_RETURN(Expr * right, ParseUnary(true));
    ASSIGN_OR_RETURN(left, MakeBinary(ExprKind::kBinary, Operator::kPow, line, left, right));
  }
  return left;
}

Result<Expr*> ExpressionParser::ParseUnary(bool with_filters) {
  Expr* node = nullptr;
  if (current().Is("-") || current().Is("+")) {
    const Nesting nesting(&nesting_);
    RETURN_IF_ERROR(CheckNesting());
    const Operator op = current().Is("-") ? Operator::kNegate : Operator::kPlus;
    const int line = Next().line;
    ASSIGN_OR_RETURN(Expr * operand, ParseUnary(false));
    ASSIGN_OR_RETURN(node, MakeBinary(ExprKind::kUnary, op, line, operand, nullptr));
  } else {
    ASSIGN_OR_RETURN(node, ParsePrimary(false));
  }
  ASSIGN_OR_RETURN(node, ParsePostfix(node));
  while (with_filters) {
    if (current().Is("|")) {
      ASSIGN_OR_RETURN(node, ParseFilters(node, false));
    } else if (current().IsName("is")) {
      ASSIGN_OR_RETURN(node, ParseTest(node));
    } else if (current().Is("(")) {
      ASSIGN_OR_RETURN(node, ParseCall(node));
    } else {
      break;
    }
  }
  return node;
}

Result<Expr*> ExpressionParser::ParsePrimary(bool allow_namespace) {
  const Token& token = current();
  const int line = token.line;
  switch (token.kind) {
    case TokenKind::kName: {
      const std::string name = Next().text;
      if (name == "true" || name == "True") return Make<ConstantExpr>(line, Value::Bool(true));
      if (name == "false" || name == "False") return Make<ConstantExpr>(line, Value::Bool(false));
      if (name == "none" || name == "None") return Make<ConstantExpr>(line, Value::None());
      if (allow_namespace && SkipOperator(".")) {
        ASSIGN_OR_RETURN(std::string attribute, ExpectName());
        return Make<NamespaceRefExpr>(line, Intern(name),
                                      syntax_->constants.String(std::move(attribute)));
      }
      return Make<NameExpr>(line, Intern(name));
    }
    case TokenKind::kString: {
      std::string text;
      while (current().kind == TokenKind::kString) text += Next().text;
      return Make<ConstantExpr>(line, syntax_->constants.String(std::move(text)));
    }
    case TokenKind::kInteger:
      return Make<ConstantExpr>(line, Value::Int(Next().integer));
    case TokenKind::kFloat:
      return Make<ConstantExpr>(line, Value::Float(Next().real));
    default:
      break;
  }
  if (token.Is("(")) {
    Next();
    ASSIGN_OR_RETURN(Expr * inner, ParseTuple(true, TupleEnd::kNone, true));
    RETURN_IF_ERROR(ExpectOperator(")"));
    return inner;
  }
  if (token.Is("[")) return ParseList();
  if (token.Is("{")) return ParseDict();
  return SyntaxError(line, "unexpected '" + Describe(token) + "'");
}

bool ExpressionParser::AtTupleEnd(TupleEnd end) const {
  const Token& t = current();
  if (t.kind == TokenKind::kOutputEnd || t.kind == TokenKind::kBlockEnd || t.Is(")")) return true;
  return (end == TupleEnd::kIn && t.IsName("in")) ||
         (end == TupleEnd::kRecursive && t.IsName("recursive"));
}

Result<Expr*> ExpressionParser::ParseTuple(bool conditional, TupleEnd end, bool parenthesized) {
  const Nesting nesting(&nesting_);
  RETURN_IF_ERROR(CheckNesting());
  const int line = current().line;
  std::vector<Expr*> items;
  bool is_tuple = false;
  while (!AtTupleEnd(end)) {
    ASSIGN_OR_RETURN(Expr * item, conditional ? ParseConditional() : ParseOr());
    items.push_back(item);
    if (!SkipOperator(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !items.empty()) return items[0];
  if (!is_tuple && !parenthesized) {
    return SyntaxError(current().line, "Expected an expression, got '" + Describe(current()) + "'");
  }
  auto* node = Make<RowExpr>(line, ExprKind::kTuple, std::move(items));
  for (const Expr* item : node->items) Raise(node, item);
  RETURN_IF_ERROR(CheckDepth(node));
  return node;
}

namespace {

Status CheckTarget(const Expr* target) {
  const auto refuse = [&](const char* what) {
    return SyntaxError(target->line, std::string("can't assign to '") + what + "'");
  };
  switch (target->kind) {
    case ExprKind::kNamespaceRef:
    case ExprKind::kName:
      return OkStatus();
    case ExprKind::kTuple:
      for (const Expr* item : static_cast<const RowExpr*>(target)->items) {
        RETURN_IF_ERROR(CheckTarget(item));
      }
      return OkStatus();
    case ExprKind::kConstant:
      return refuse("const");
    default:
      return refuse("expression");
  }
}

}  // namespace

Result<Expr*> ExpressionParser::ParseTarget(TupleEnd end, bool allow_namespace) {
  const int line = current().line;
  std::vector<Expr*> items;
  bool is_tuple = false;
  while (!AtTupleEnd(end)) {
    ASSIGN_OR_RETURN(Expr * item, ParsePrimary(allow_namespace));
    items.push_back(item);
    if (!SkipOperator(",")) break;
    is_tuple = true;
  }
  if (items.empty())
    return SyntaxError(line, "Expected an expression, got '" + Describe(current()) + "'");
  Expr* target = items[0];
  if (is_tuple) {
    auto* node = Make<RowExpr>(line, ExprKind::kTuple, std::move(items));
    for (const Expr* item : node->items) Raise(node, item);
    target = node;
  }
  RETURN_IF_ERROR(CheckDepth(target));
  RETURN_IF_ERROR(CheckTarget(target));
  return target;
}

Result<Expr*> ExpressionParser::ParseList() {
  auto* node = Make<RowExpr>(Next().line, ExprKind::kList, std::vector<Expr*>{});
  while (!current().Is("]")) {
    if (!node->items.empty()) {
      RETURN_IF_ERROR(ExpectOperator(","));
      if (current().Is("]")) break;
    }
    ASSIGN_OR_RETURN(Expr * item, ParseExpression());
    node->items.push_back(item);
    Raise(node, item);
  }
  RETURN_IF_ERROR(ExpectOperator("]"));
  RETURN_IF_ERROR(CheckDepth(node));
  return node;
}

Result<Expr*> ExpressionParser::ParseDict() {
  auto* node = Make<RowExpr>(Next().line, ExprKind::kDict, std::vector<Expr*>{});
  while (!current().Is("}")) {
    if (!node->items.empty()) {
      RETURN_IF_ERROR(ExpectOperator(","));
      if (current().Is("}")) break;
    }
    ASSIGN_OR_RETURN(Expr * key, ParseExpression());
    RETURN_IF_ERROR(ExpectOperator(":"));
    ASSIGN_OR_RETURN(Expr * value, ParseExpression());
    node->items.push_back(key);
    node->items.push_back(value);
    Raise(node, key);
    Raise(node, value);
  }
  RETURN_IF_ERROR(ExpectOperator("}"));
  RETURN_IF_ERROR(CheckDepth(node));
  return node;
}

Result<Expr*> ExpressionParser::ParsePostfix(Expr* object) {
  while (true) {
    if (current().Is(".") || current().Is("[")) {
      ASSIGN_OR_RETURN(object, ParseSubscript(object));
    } else if (current().Is("(")) {
      ASSIGN_OR_RETURN(object, ParseCall(object));
    } else {
      return object;
    }
  }
}

Result<Expr*> ExpressionParser::ParseSubscript(Expr* object) {
  const int line = current().line;
  Expr* node = nullptr;
  if (SkipOperator(".")) {
    if (current().kind == TokenKind::kName) {
      node = Make<AttributeExpr>(line, object, syntax_->constants.String(Next().text));
    } else if (current().kind == TokenKind::kInteger) {
      auto* index = Make<ConstantExpr>(line, Value::Int(Next().integer));
      node = Make<ItemExpr>(line, object, index);
    } else {
      return SyntaxError(current().line, "expected name or number");
    }
  } else {
    Next();
    ASSIGN_OR_RETURN(node, ParseSliceOrItem(object, line));
    RETURN_IF_ERROR(ExpectOperator("]"));
  }
  Raise(node, object);
  RETURN_IF_ERROR(CheckDepth(node));
  return node;
}

// Behind "[": an index, a slice, or several indices, which make a tuple.
Result<Expr*> ExpressionParser::ParseSliceOrItem(Expr* object, int line) {
  std::vector<Expr*> indices;
  while (!current().Is("]")) {
    if (!indices.empty()) RETURN_IF_ERROR(ExpectOperator(","));
    Expr* bounds[3] = {};
    if (!current().Is(":")) {
      ASSIGN_OR_RETURN(bounds[0], ParseExpression());
    }
    if (!current().Is(":")) {
      indices.push_back(bounds[0]);
      continue;
    }
    for (int i = 1; i <= 2 && SkipOperator(":"); ++i) {
      if (!current().Is("]") && !current().Is(",") && !current().Is(":")) {
        ASSIGN_OR_RETURN(bounds[i], ParseExpression());
      }
    }
    if (!indices.empty() || current().Is(",")) {
      return SyntaxError(line, "slices in several dimensions are not supported");
    }
    auto* slice = Make<SliceExpr>(line);
    slice->object = object;
    slice->start = bounds[0];
    slice->stop = bounds[1];
    slice->step = bounds[2];
    for (const Expr* bound : bounds) Raise(slice, bound);
    return slice;
  }
  Expr* index = indices.empty() ? nullptr : indices[0];
  if (indices.size() != 1) {
    auto* tuple = Make<RowExpr>(line, ExprKind::kTuple, std::move(indices));
    for (const Expr* item : tuple->items) Raise(tuple, item);
    index = tuple;
  }
  auto* node = Make<ItemExpr>(line, object, index);
  Raise(node, index);
  return node;
}

Result<Expr*> ExpressionParser::ParseCall(Expr* callee) {
  auto* node = Make<CallExpr>(current().line);
  node->callee = callee;
  Raise(node, callee);
  RETURN_IF_ERROR(ParseArguments(&node->arguments));
  for (const Expr* a : node->arguments.positional) Raise(node, a);
  for (const auto& [name, a] : node->arguments.named) Raise(node, a);
  Raise(node, node->arguments.positional_list);
  Raise(node, node->arguments.named_dict);
  RETURN_IF_ERROR(CheckDepth(node));
  return node;
}

Status ExpressionParser::ParseArguments(CallArguments* arguments) {
  const int line = current().line;
  const Status invalid = SyntaxError(line, "invalid syntax for function call expression");
  RETURN_IF_ERROR(ExpectOperator("("));
  for (bool first = true; !current().Is(")"); first = false) {
    if (!first) {
      RETURN_IF_ERROR(ExpectOperator(","));
      if (current().Is(")")) break;
    }
    if (SkipOperator("*")) {
      if (arguments->positional_list != nullptr || arguments->named_dict != nullptr) return invalid;
      ASSIGN_OR_RETURN(arguments->positional_list, ParseExpression());
    } else if (SkipOperator("**")) {
      if (arguments->named_dict != nullptr) return invalid;
      ASSIGN_OR_RETURN(arguments->named_dict, ParseExpression());
    } else if (current().kind == TokenKind::kName && ahead().Is("=")) {
      if (arguments->named_dict != nullptr) return invalid;
      std::string name = Next().text;
      Next();
      for (const auto& [other, unused] : arguments->named) {
        if (other == name) return SyntaxError(line, "keyword argument repeated: " + name);
      }
      ASSIGN_OR_RETURN(Expr * value, ParseExpression());
      arguments->named.emplace_back(std::move(name), value);
    } else {
      if (arguments->positional_list != nullptr || arguments->named_dict != nullptr ||
          !arguments->named.empty()) {
        return invalid;
      }
      ASSIGN_OR_RETURN(Expr * value, ParseExpression());
      arguments->positional.push_back(value);
    }
  }
  return ExpectOperator(")");
}

Result<Expr*> ExpressionParser::ParseFilters(Expr* value, bool inline_start) {
  while (current().Is("|") || inline_start) {
    if (!inline_start) Next();
    inline_start = false;
    auto* node = Make<ApplyExpr>(current().line, ExprKind::kFilter);
    node->value = value;
    ASSIGN_OR_RETURN(node->name, ExpectName());
    while (SkipOperator(".")) {
      ASSIGN_OR_RETURN(const std::string part, ExpectName());
      node->name.append(".").append(part);
    }
    if (current().Is("(")) RETURN_IF_ERROR(ParseArguments(&node->arguments));
    Raise(node, value);
    for (const Expr* a : node->arguments.positional) Raise(node, a);
    for (const auto& [name, a] : node->arguments.named) Raise(node, a);
    RETURN_IF_ERROR(CheckDepth(node));
    value = node;
  }
  return value;
}

Result<Expr*> ExpressionParser::ParseTest(Expr* value) {
  auto* node = Make<ApplyExpr>(Next().line, ExprKind::kTest);
  node->value = value;
  const bool negated = SkipName("not");
  ASSIGN_OR_RETURN(node->name, ExpectName());
  while (SkipOperator(".")) {
    ASSIGN_OR_RETURN(const std::string part, ExpectName());
    node->name.append(".").append(part);
  }
  const Token& next = current();
  const bool operand = next.kind == TokenKind::kString || next.kind == TokenKind::kInteger ||
                       next.kind == TokenKind::kFloat || next.Is("[") || next.Is("{") ||
                       (next.kind == TokenKind::kName && !next.IsName("else") &&
                        !next.IsName("or") && !next.IsName("and"));
  if (next.Is("(")) {
    RETURN_IF_ERROR(ParseArguments(&node->arguments));
  } else if (operand) {
    if (next.IsName("is")) return SyntaxError(next.line, "You cannot chain multiple tests with is");
    ASSIGN_OR_RETURN(Expr * argument, ParsePrimary(false));
    ASSIGN_OR_RETURN(argument, ParsePostfix(argument));
    node->arguments.positional.push_back(argument);
  }
  Raise(node, value);
  for (const Expr* a : node->arguments.positional) Raise(node, a);
  for (const auto& [name, a] : node->arguments.named) Raise(node, a);
  RETURN_IF_ERROR(CheckDepth(node));
  if (!negated) return node;
  return MakeBinary(ExprKind::kNot, Operator::kAdd, node->line, node, nullptr);
}

}  // namespace galen::jinja
