// The syntax tree of a template. Nodes are owned by one flat list, so that destroying a deep tree
// does not recurse.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/template/value.h"

namespace galen::jinja {

struct Builtin;

// Index into Syntax::names.
using NameId = int;

enum class ExprKind : uint8_t {
  kConstant,
  kFailure,  // an error when it is reached
  kName,
  kNamespaceRef,  // `ns.attribute`, as a target of `set` only
  kTuple,
  kList,
  kDict,
  kUnary,
  kBinary,
  kAnd,
  kOr,
  kNot,
  kCompare,
  kConcat,
  kConditional,
  kAttribute,
  kItem,
  kSlice,
  kCall,
  kFilter,
  kTest,
};

struct Node {
  virtual ~Node() = default;
  int line = 0;
  int depth = 1;  // height of the tree below, limited while parsing
};

struct Expr : Node {
  explicit Expr(ExprKind k) : kind(k) {}
  ExprKind kind;
};

struct ConstantExpr : Expr {
  explicit ConstantExpr(Value v) : Expr(ExprKind::kConstant), value(v) {}
  Value value;
};
struct FailureExpr : Expr {
  explicit FailureExpr(std::string m) : Expr(ExprKind::kFailure), message(std::move(m)) {}
  std::string message;
};
struct NameExpr : Expr {
  explicit NameExpr(NameId n) : Expr(ExprKind::kName), name(n) {}
  NameId name;
};
struct NamespaceRefExpr : Expr {
  NamespaceRefExpr(NameId n, Value a) : Expr(ExprKind::kNamespaceRef), name(n), attribute(a) {}
  NameId name;
  Value attribute;
};
// Tuple, list, concatenation: a row of operands. Dict: keys and values in turn.
struct RowExpr : Expr {
  RowExpr(ExprKind k, std::vector<Expr*> i) : Expr(k), items(std::move(i)) {}
  std::vector<Expr*> items;
};

enum class Operator : uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kFloorDiv,
  kMod,
  kPow,  // binary
  kNegate,
  kPlus,  // unary
  kEq,
  kNe,
  kLt,
  kLe,
  kGt,
  kGe,
  kIn,
  kNotIn,  // comparison
};

// Unary and `not` use `left` only.
struct OperatorExpr : Expr {
  OperatorExpr(ExprKind k, Operator o, Expr* l, Expr* r) : Expr(k), op(o), left(l), right(r) {}
  Operator op;
  Expr* left;
  Expr* right;
};
struct CompareExpr : Expr {
  CompareExpr() : Expr(ExprKind::kCompare) {}
  Expr* first = nullptr;
  std::vector<std::pair<Operator, Expr*>> rest;
};
struct ConditionalExpr : Expr {
  ConditionalExpr() : Expr(ExprKind::kConditional) {}
  Expr* test = nullptr;
  Expr* then = nullptr;
  Expr* otherwise = nullptr;  // null: undefined
};
struct AttributeExpr : Expr {
  AttributeExpr(Expr* o, Value n) : Expr(ExprKind::kAttribute), object(o), name(n) {}
  Expr* object;
  Value name;  // a string
};
struct ItemExpr : Expr {
  ItemExpr(Expr* o, Expr* i) : Expr(ExprKind::kItem), object(o), index(i) {}
  Expr* object;
  Expr* index;
};
struct SliceExpr : Expr {
  SliceExpr() : Expr(ExprKind::kSlice) {}
  Expr* object = nullptr;
  Expr* start = nullptr;  // each may be null
  Expr* stop = nullptr;
  Expr* step = nullptr;
};
struct CallArguments {
  std::vector<Expr*> positional;
  std::vector<std::pair<std::string, Expr*>> named;
  Expr* positional_list = nullptr;  // *x
  Expr* named_dict = nullptr;       // **x
};
struct CallExpr : Expr {
  CallExpr() : Expr(ExprKind::kCall) {}
  Expr* callee = nullptr;
  CallArguments arguments;
};
// `value | name(...)` and `value is name(...)`.
struct ApplyExpr : Expr {
  explicit ApplyExpr(ExprKind k) : Expr(k) {}
  Expr* value = nullptr;  // null in {% filter %} and {% set x | f %}: the block's text
  std::string name;
  CallArguments arguments;
  const Builtin* builtin = nullptr;  // null: no such filter or test, an error when it is reached
};

// The expressions right below, where the node points to them.
std::vector<Expr**> Parts(Expr* e);

enum class StmtKind : uint8_t {
  kText,
  kOutput,
  kIf,
  kFor,
  kSet,
  kSetBlock,
  kWith,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kGeneration,
  kBreak,
  kContinue,
};

struct Stmt : Node {
  explicit Stmt(StmtKind k) : kind(k) {}
  StmtKind kind;
};
using Body = std::vector<Stmt*>;

// Names that a scope assigns before it reads them. They hide outer variables from the scope's start
// on.
using HiddenNames = std::vector<NameId>;

struct TextStmt : Stmt {
  explicit TextStmt(std::string t) : Stmt(StmtKind::kText), text(std::move(t)) {}
  std::string text;
};
struct OutputStmt : Stmt {
  explicit OutputStmt(Expr* v) : Stmt(StmtKind::kOutput), value(v) {}
  Expr* value;
};
struct IfStmt : Stmt {
  IfStmt() : Stmt(StmtKind::kIf) {}
  struct Branch {
    Expr* test;  // null for `else`
    Body body;
  };
  std::vector<Branch> branches;
};
struct ForStmt : Stmt {
  ForStmt() : Stmt(StmtKind::kFor) {}
  Expr* target = nullptr;
  Expr* iterable = nullptr;
  Expr* test = nullptr;  // null: all items
  bool recursive = false;
  bool uses_loop = false;
  Body body;
  Body otherwise;
  HiddenNames hidden, otherwise_hidden;
};
struct SetStmt : Stmt {
  SetStmt() : Stmt(StmtKind::kSet) {}
  Expr* target = nullptr;
  Expr* value = nullptr;
};
struct SetBlockStmt : Stmt {
  SetBlockStmt() : Stmt(StmtKind::kSetBlock) {}
  Expr* target = nullptr;
  Expr* filter = nullptr;  // ApplyExpr chain whose innermost value is null, or null
  Body body;
  HiddenNames hidden;
};
struct WithStmt : Stmt {
  WithStmt() : Stmt(StmtKind::kWith) {}
  std::vector<std::pair<Expr*, Expr*>> bindings;
  Body body;
  HiddenNames hidden;
};
struct MacroStmt : Stmt {
  MacroStmt() : Stmt(StmtKind::kMacro) {}
  struct Parameter {
    NameId name;
    Expr* default_value;  // null: none
  };
  NameId name = -1;
  std::vector<Parameter> parameters;
  // Whether the body reads these names without them being parameters.
  bool uses_caller = false, uses_kwargs = false, uses_varargs = false;
  bool has_caller_parameter = false;
  Body body;
  HiddenNames hidden;
};
struct CallBlockStmt : Stmt {
  CallBlockStmt() : Stmt(StmtKind::kCallBlock) {}
  MacroStmt* caller = nullptr;  // anonymous
  CallExpr* call = nullptr;
};
struct FilterBlockStmt : Stmt {
  FilterBlockStmt() : Stmt(StmtKind::kFilterBlock) {}
  Expr* filter = nullptr;
  Body body;
  HiddenNames hidden;
};
struct GenerationStmt : Stmt {
  GenerationStmt() : Stmt(StmtKind::kGeneration) {}
  Body body;
  HiddenNames hidden;
};
struct JumpStmt : Stmt {
  explicit JumpStmt(StmtKind k) : Stmt(k) {}
};

// A parsed template: immutable, shared by renderings on any thread.
struct Syntax {
  Body body;
  HiddenNames hidden;
  std::vector<std::string> names;
  std::unordered_map<std::string, NameId> name_ids;
  NameId loop = -1, caller = -1, kwargs = -1, varargs = -1;
  Heap constants;
  std::vector<std::unique_ptr<Node>> nodes;
};

}  // namespace galen::jinja
