#include "text/template/analysis.h"

#include <algorithm>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "text/template/builtins.h"
#include "text/template/fold.h"
#include "text/template/lexer.h"

namespace galen::jinja {
namespace {

// How a scope's name gets its first value. Jinja settles this when it compiles, which a template
// can observe: a name that a scope assigns before it reads it is undefined in there until then,
// even where the conversation gave it a value.
enum class Load { kParameter, kResolve, kAlias, kUndefined };

struct Symbols {
  const Symbols* parent = nullptr;
  std::unordered_map<NameId, Load> names;
  std::set<NameId> stores;

  bool Known(NameId name) const {
    for (const Symbols* s = this; s != nullptr; s = s->parent) {
      if (s->names.contains(name)) return true;
    }
    return false;
  }
  bool KnownOutside(NameId name) const { return parent != nullptr && parent->Known(name); }

  void Read(NameId name) {
    if (!Known(name)) names[name] = Load::kResolve;
  }
  void Store(NameId name) {
    stores.insert(name);
    if (!names.contains(name)) names[name] = KnownOutside(name) ? Load::kAlias : Load::kUndefined;
  }
  void Parameter(NameId name) {
    stores.insert(name);
    names[name] = Load::kParameter;
  }
  // Joins the branches of an `if`: what only some of them assign keeps its outer value.
  void Join(const std::vector<Symbols>& branches) {
    std::set<NameId> conditional;
    for (const Symbols& b : branches) conditional.insert(b.stores.begin(), b.stores.end());
    for (const NameId name : stores) conditional.erase(name);
    for (const Symbols& b : branches) {
      for (const auto& [name, load] : b.names) names[name] = load;
      stores.insert(b.stores.begin(), b.stores.end());
    }
    for (const NameId name : conditional)
      names[name] = KnownOutside(name) ? Load::kAlias : Load::kResolve;
  }
  HiddenNames Hidden() const {
    HiddenNames hidden;
    for (const auto& [name, load] : names) {
      if (load == Load::kUndefined) hidden.push_back(name);
    }
    std::sort(hidden.begin(), hidden.end());
    return hidden;
  }
};

class Analyzer {
 public:
  explicit Analyzer(Syntax* syntax) : syntax_(*syntax), folder_(syntax) {}

  Status Run() {
    Symbols root;
    Scan(syntax_.body, &root);
    syntax_.hidden = root.Hidden();
    RETURN_IF_ERROR(Walk(syntax_.body, root, Context{}));
    if (copied_ <= kMaxCopied) return OkStatus();
    return ResourceExhausted("the chat template has too many branches and names");
  }

 private:
  struct Context {
    bool soft = false;     // inside an `if`: an unknown filter is an error only when it is reached
    bool in_loop = false;  // `break` has something to leave
    bool under_for = false;
  };

  // ---- which names one scope reads and assigns, in order, without the scopes inside it ----

  void Scan(const Body& body, Symbols* s) {
    for (const Stmt* statement : body) Scan(statement, s);
  }
  void Scan(const Stmt* statement, Symbols* s);
  void ScanIf(const IfStmt* node, size_t branch, Symbols* s);
  void ScanExpr(Expr* e, Symbols* s);
  void ScanTarget(Expr* target, Symbols* s, bool parameter);
  Symbols ScanMacro(const MacroStmt* macro, const Symbols* outer);

  // ---- checks, through all scopes ----

  Status Walk(const Body& body, const Symbols& symbols, Context context) {
    for (Stmt* statement : body) RETURN_IF_ERROR(Walk(statement, symbols, context));
    return OkStatus();
  }
  Status Walk(Stmt* statement, const Symbols& symbols, Context context);
  Status WalkFor(ForStmt* node, const Symbols& symbols, Context context);
  Status WalkMacro(MacroStmt* node, const Symbols& symbols);
  // `output`: the expression of {{ }}.
  Status WalkExpr(Expr** e, bool soft, bool output = false);
  // Counts what is read, also where it is folded away later, and looks up filters and tests.
  void Resolve(Expr* e);
  Status CheckFilters(Expr* e, bool soft);
  Status RefuseLoop(const Expr* target) const;

  // Branches copy the names seen so far, which is quadratic in a hostile template. Real ones copy
  // some thousands.
  static constexpr size_t kMaxCopied = 2'000'000;

  Syntax& syntax_;
  Folder folder_;
  size_t copied_ = 0;
  // How often each of these names was read so far: comparing counts tells whether a body reads it.
  int loop_reads_ = 0, caller_reads_ = 0, kwargs_reads_ = 0, varargs_reads_ = 0;
};

void Analyzer::ScanExpr(Expr* e, Symbols* s) {
  if (e == nullptr) return;
  if (e->kind == ExprKind::kName) s->Read(static_cast<NameExpr*>(e)->name);
  if (e->kind == ExprKind::kNamespaceRef) s->Read(static_cast<NamespaceRefExpr*>(e)->name);
  for (Expr** part : Parts(e)) ScanExpr(*part, s);
}

void Analyzer::ScanTarget(Expr* target, Symbols* s, bool parameter) {
  if (target->kind == ExprKind::kName) {
    const NameId name = static_cast<const NameExpr*>(target)->name;
    parameter ? s->Parameter(name) : s->Store(name);
  } else if (target->kind == ExprKind::kTuple) {
    for (Expr* item : static_cast<const RowExpr*>(target)->items) ScanTarget(item, s, parameter);
  } else {
    ScanExpr(target, s);
  }
}

void Analyzer::ScanIf(const IfStmt* node, size_t first, Symbols* s) {
  ScanExpr(node->branches[first].test, s);
  copied_ += s->names.size() + 1;
  if (copied_ > kMaxCopied) return;
  std::vector<Symbols> branches(3, *s);  // the body, all of `elif`, `else`
  Scan(node->branches[first].body, &branches[0]);
  if (first == 0) {
    for (size_t i = 1; i < node->branches.size(); ++i) {
      if (node->branches[i].test != nullptr) {
        ScanIf(node, i, &branches[1]);
      } else {
        Scan(node->branches[i].body, &branches[2]);
      }
    }
  }
  s->Join(branches);
}

void Analyzer::Scan(const Stmt* statement, Symbols* s) {
  switch (statement->kind) {
    case StmtKind::kOutput:
      return ScanExpr(static_cast<const OutputStmt*>(statement)->value, s);
    case StmtKind::kIf:
      return ScanIf(static_cast<const IfStmt*>(statement), 0, s);
    case StmtKind::kFor:
      return ScanExpr(static_cast<const ForStmt*>(statement)->iterable, s);
    case StmtKind::kSet:
      ScanExpr(static_cast<const SetStmt*>(statement)->value, s);
      return ScanTarget(static_cast<const SetStmt*>(statement)->target, s, false);
    case StmtKind::kSetBlock:
      return ScanTarget(static_cast<const SetBlockStmt*>(statement)->target, s, false);
    case StmtKind::kWith:
      for (const auto& [target, value] : static_cast<const WithStmt*>(statement)->bindings)
        ScanExpr(value, s);
      return;
    case StmtKind::kMacro:
      return s->Store(static_cast<const MacroStmt*>(statement)->name);
    case StmtKind::kCallBlock:
      return ScanExpr(static_cast<const CallBlockStmt*>(statement)->call, s);
    case StmtKind::kFilterBlock:
      return ScanExpr(static_cast<const FilterBlockStmt*>(statement)->filter, s);
    case StmtKind::kText:
    case StmtKind::kGeneration:
    case StmtKind::kBreak:
    case StmtKind::kContinue:
      return;
  }
}

Symbols Analyzer::ScanMacro(const MacroStmt* macro, const Symbols* outer) {
  Symbols s;
  s.parent = outer;
  for (const auto& p : macro->parameters) s.Parameter(p.name);
  for (const auto& p : macro->parameters) ScanExpr(p.default_value, &s);
  Scan(macro->body, &s);
  return s;
}

void Analyzer::Resolve(Expr* e) {
  if (e->kind == ExprKind::kName) {
    const NameId name = static_cast<NameExpr*>(e)->name;
    loop_reads_ += name == syntax_.loop;
    caller_reads_ += name == syntax_.caller;
    kwargs_reads_ += name == syntax_.kwargs;
    varargs_reads_ += name == syntax_.varargs;
  } else if (e->kind == ExprKind::kFilter || e->kind == ExprKind::kTest) {
    auto* apply = static_cast<ApplyExpr*>(e);
    apply->builtin = e->kind == ExprKind::kFilter ? FindFilter(apply->name) : FindTest(apply->name);
  }
  for (Expr** part : Parts(e)) Resolve(*part);
}

Status Analyzer::CheckFilters(Expr* e, bool soft) {
  if (e->kind == ExprKind::kFilter || e->kind == ExprKind::kTest) {
    const auto* apply = static_cast<ApplyExpr*>(e);
    if (apply->builtin == nullptr && !soft) {
      return SyntaxError(e->line, std::string("No ") +
                                      (e->kind == ExprKind::kFilter ? "filter" : "test") +
                                      " named '" + apply->name + "'.");
    }
  }
  for (Expr** part : Parts(e))
    RETURN_IF_ERROR(CheckFilters(*part, soft || e->kind == ExprKind::kConditional));
  return OkStatus();
}

Status Analyzer::WalkExpr(Expr** e, bool soft, bool output) {
  if (*e == nullptr) return OkStatus();
  Resolve(*e);
  RETURN_IF_ERROR(output ? folder_.FoldOutput(e) : folder_.Fold(e));
  return CheckFilters(*e, soft);
}

Status Analyzer::RefuseLoop(const Expr* target) const {
  if (target->kind == ExprKind::kName &&
      static_cast<const NameExpr*>(target)->name == syntax_.loop) {
    return SyntaxError(target->line, "Can't assign to special loop variable in for-loop target");
  }
  if (target->kind == ExprKind::kTuple) {
    for (const Expr* item : static_cast<const RowExpr*>(target)->items)
      RETURN_IF_ERROR(RefuseLoop(item));
  }
  return OkStatus();
}

Status Analyzer::WalkFor(ForStmt* node, const Symbols& symbols, Context context) {
  RETURN_IF_ERROR(RefuseLoop(node->target));
  RETURN_IF_ERROR(WalkExpr(&node->iterable, context.soft));
  RETURN_IF_ERROR(WalkExpr(&node->test, false));
  Symbols body, otherwise;
  body.parent = otherwise.parent = &symbols;
  const int loop_reads = loop_reads_;
  ScanTarget(node->target, &body, true);
  // Whether `loop` exists is known only after the walk below; as a parameter it hides nothing
  // either way.
  body.Parameter(syntax_.loop);
  Scan(node->body, &body);
  Scan(node->otherwise, &otherwise);
  node->hidden = body.Hidden();
  node->otherwise_hidden = otherwise.Hidden();
  RETURN_IF_ERROR(Walk(node->body, body, Context{false, true, true}));
  node->uses_loop = node->recursive || loop_reads_ != loop_reads;
  Context after = context;
  after.soft = false;
  after.under_for = true;
  if (node->recursive) after.in_loop = false;
  return Walk(node->otherwise, otherwise, after);
}

Status Analyzer::WalkMacro(MacroStmt* node, const Symbols& symbols) {
  const Symbols inner = ScanMacro(node, &symbols);
  node->hidden = inner.Hidden();
  for (auto& p : node->parameters) RETURN_IF_ERROR(WalkExpr(&p.default_value, false));
  const int caller = caller_reads_, kwargs = kwargs_reads_, varargs = varargs_reads_;
  RETURN_IF_ERROR(Walk(node->body, inner, Context{}));
  const auto parameter = [&](NameId name) -> const MacroStmt::Parameter* {
    for (const auto& p : node->parameters) {
      if (p.name == name) return &p;
    }
    return nullptr;
  };
  const auto* explicit_caller = parameter(syntax_.caller);
  node->has_caller_parameter = explicit_caller != nullptr;
  node->uses_caller = caller_reads_ != caller;
  if (node->uses_caller && explicit_caller != nullptr &&
      explicit_caller->default_value == nullptr) {
    return SyntaxError(
        node->line,
        "When defining macros or call blocks the special \"caller\" argument must be omitted or be "
        "given a default.");
  }
  node->uses_kwargs = kwargs_reads_ != kwargs && parameter(syntax_.kwargs) == nullptr;
  node->uses_varargs = varargs_reads_ != varargs && parameter(syntax_.varargs) == nullptr;
  // These come as parameters, so that nothing hides them.
  std::erase_if(node->hidden, [&](NameId n) {
    return n == syntax_.caller || n == syntax_.kwargs || n == syntax_.varargs;
  });
  return OkStatus();
}

Status Analyzer::Walk(Stmt* statement, const Symbols& symbols, Context context) {
  const auto inner = [&](const Body& body) {
    Symbols s;
    s.parent = &symbols;
    Scan(body, &s);
    return s;
  };
  Context block = context;
  block.soft = false;
  switch (statement->kind) {
    case StmtKind::kText:
      return OkStatus();
    case StmtKind::kOutput:
      return WalkExpr(&static_cast<OutputStmt*>(statement)->value, context.soft, true);
    case StmtKind::kIf: {
      Context soft = context;
      soft.soft = true;
      for (auto& branch : static_cast<IfStmt*>(statement)->branches) {
        RETURN_IF_ERROR(WalkExpr(&branch.test, true));
        RETURN_IF_ERROR(Walk(branch.body, symbols, soft));
      }
      return OkStatus();
    }
    case StmtKind::kFor:
      return WalkFor(static_cast<ForStmt*>(statement), symbols, context);
    case StmtKind::kSet: {
      auto* node = static_cast<SetStmt*>(statement);
      if (context.under_for) RETURN_IF_ERROR(RefuseLoop(node->target));
      return WalkExpr(&node->value, context.soft);
    }
    case StmtKind::kSetBlock: {
      auto* node = static_cast<SetBlockStmt*>(statement);
      if (context.under_for) RETURN_IF_ERROR(RefuseLoop(node->target));
      const Symbols s = inner(node->body);
      node->hidden = s.Hidden();
      RETURN_IF_ERROR(WalkExpr(&node->filter, false));
      return Walk(node->body, s, block);
    }
    case StmtKind::kWith: {
      auto* node = static_cast<WithStmt*>(statement);
      Symbols s;
      s.parent = &symbols;
      for (auto& [target, value] : node->bindings) {
        RETURN_IF_ERROR(WalkExpr(&value, context.soft));
        ScanTarget(target, &s, true);
      }
      Scan(node->body, &s);
      node->hidden = s.Hidden();
      return Walk(node->body, s, block);
    }
    case StmtKind::kMacro:
      return WalkMacro(static_cast<MacroStmt*>(statement), symbols);
    case StmtKind::kCallBlock: {
      auto* node = static_cast<CallBlockStmt*>(statement);
      Expr* call = node->call;  // stays, being no constant
      RETURN_IF_ERROR(WalkExpr(&call, context.soft));
      return WalkMacro(node->caller, symbols);
    }
    case StmtKind::kFilterBlock: {
      auto* node = static_cast<FilterBlockStmt*>(statement);
      const Symbols s = inner(node->body);
      node->hidden = s.Hidden();
      RETURN_IF_ERROR(WalkExpr(&node->filter, false));
      return Walk(node->body, s, block);
    }
    case StmtKind::kGeneration: {
      auto* node = static_cast<GenerationStmt*>(statement);
      const Symbols s = inner(node->body);
      node->hidden = s.Hidden();
      return Walk(node->body, s, Context{});
    }
    case StmtKind::kBreak:
    case StmtKind::kContinue:
      if (context.in_loop) return OkStatus();
      return SyntaxError(statement->line, statement->kind == StmtKind::kBreak
                                              ? "'break' outside loop"
                                              : "'continue' not properly in loop");
  }
  return OkStatus();
}

}  // namespace

Status Analyze(Syntax* syntax) { return Analyzer(syntax).Run(); }

}  // namespace galen::jinja
