#include "text/template/ast.h"

namespace galen::jinja {
namespace {

class PartList {
 public:
  void Add(Expr*& part) {
    if (part != nullptr) parts.push_back(&part);
  }
  void Add(std::vector<Expr*>& row) {
    for (Expr*& part : row) Add(part);
  }
  void Add(CallArguments& a) {
    Add(a.positional);
    for (auto& [name, part] : a.named) Add(part);
    Add(a.positional_list);
    Add(a.named_dict);
  }
  std::vector<Expr**> parts;
};

}  // namespace

std::vector<Expr**> Parts(Expr* e) {
  PartList list;
  switch (e->kind) {
    case ExprKind::kConstant:
    case ExprKind::kFailure:
    case ExprKind::kName:
    case ExprKind::kNamespaceRef:
      break;
    case ExprKind::kTuple:
    case ExprKind::kList:
    case ExprKind::kDict:
    case ExprKind::kConcat:
      list.Add(static_cast<RowExpr*>(e)->items);
      break;
    case ExprKind::kUnary:
    case ExprKind::kBinary:
    case ExprKind::kAnd:
    case ExprKind::kOr:
    case ExprKind::kNot: {
      auto* node = static_cast<OperatorExpr*>(e);
      list.Add(node->left);
      list.Add(node->right);
      break;
    }
    case ExprKind::kCompare: {
      auto* node = static_cast<CompareExpr*>(e);
      list.Add(node->first);
      for (auto& [op, part] : node->rest) list.Add(part);
      break;
    }
    case ExprKind::kConditional: {
      auto* node = static_cast<ConditionalExpr*>(e);
      list.Add(node->test);
      list.Add(node->then);
      list.Add(node->otherwise);
      break;
    }
    case ExprKind::kAttribute:
      list.Add(static_cast<AttributeExpr*>(e)->object);
      break;
    case ExprKind::kItem: {
      auto* node = static_cast<ItemExpr*>(e);
      list.Add(node->object);
      list.Add(node->index);
      break;
    }
    case ExprKind::kSlice: {
      auto* node = static_cast<SliceExpr*>(e);
      for (Expr** part : {&node->object, &node->start, &node->stop, &node->step}) list.Add(*part);
      break;
    }
    case ExprKind::kCall: {
      auto* node = static_cast<CallExpr*>(e);
      list.Add(node->callee);
      list.Add(node->arguments);
      break;
    }
    case ExprKind::kFilter:
    case ExprKind::kTest: {
      auto* node = static_cast<ApplyExpr*>(e);
      list.Add(node->value);
      list.Add(node->arguments);
      break;
    }
  }
  return std::move(list.parts);
}

}  // namespace galen::jinja
