#include "text/template/parser.h"

#include <string>
#include <utility>
#include <vector>

#include "text/template/analysis.h"
#include "text/template/expression_parser.h"

namespace galen::jinja {
namespace {

using EndTags = std::vector<std::string_view>;

class TemplateParser : public ExpressionParser {
 public:
  TemplateParser(std::vector<Token> tokens, Syntax* syntax)
      : ExpressionParser(std::move(tokens), syntax) {
    syntax->loop = Intern("loop");
    syntax->caller = Intern("caller");
    syntax->kwargs = Intern("kwargs");
    syntax->varargs = Intern("varargs");
  }

  Status Run() {
    RETURN_IF_ERROR(ParseBody({}, &syntax_->body));
    return OkStatus();
  }

 private:
  // Reads statements until a tag in `ends`, whose name becomes the current token. At the template's
  // end: an error unless `ends` is empty.
  Status ParseBody(const EndTags& ends, Body* body);
  // The rest of an opening tag, the body, and the closing tag's name.
  Status ParseBlock(const EndTags& ends, Body* body, bool skip_end = true);
  Result<Stmt*> ParseStatement();
  Result<Stmt*> ParseFor();
  Result<Stmt*> ParseIf();
  Result<Stmt*> ParseSet();
  Result<Stmt*> ParseWith();
  Result<Stmt*> ParseMacro();
  Result<Stmt*> ParseCallBlock();
  Result<Stmt*> ParseFilterBlock();
  Result<Stmt*> ParseGeneration();
  Status ParsePrint(Body* body);
  Status ParseSignature(MacroStmt* macro);
  Status UnknownTag(const Token& tag) const;

  std::vector<std::pair<std::string, EndTags>> open_;  // tags that wait for their end
};

Status TemplateParser::UnknownTag(const Token& tag) const {
  std::string message = tag.kind == TokenKind::kEnd ? "Unexpected end of template."
                                                    : "Encountered unknown tag '" + tag.text + "'.";
  if (!open_.empty()) {
    message += " Looking for ";
    for (size_t i = 0; i < open_.back().second.size(); ++i) {
      message += (i == 0 ? "'" : " or '") + std::string(open_.back().second[i]) + "'";
    }
    message += ", which closes '" + open_.back().first + "'.";
  }
  return SyntaxError(tag.line, message);
}

Status TemplateParser::ParseBody(const EndTags& ends, Body* body) {
  while (true) {
    const Token& token = current();
    switch (token.kind) {
      case TokenKind::kEnd:
        return ends.empty() ? OkStatus() : UnknownTag(token);
      case TokenKind::kText:
        body->push_back(Make<TextStmt>(token.line, token.text));
        Next();
        break;
      case TokenKind::kOutputBegin: {
        const int line = Next().line;
        ASSIGN_OR_RETURN(Expr * value, ParseTuple());
        RETURN_IF_ERROR(ExpectKind(TokenKind::kOutputEnd, "end of print statement"));
        body->push_back(Make<OutputStmt>(line, value));
        break;
      }
      default: {  // a block begins; the lexer gives nothing else here
        Next();
        for (const std::string_view end : ends) {
          if (current().IsName(end)) return OkStatus();
        }
        if (current().IsName("print")) {
          RETURN_IF_ERROR(ParsePrint(body));
        } else {
          ASSIGN_OR_RETURN(Stmt * statement, ParseStatement());
          body->push_back(statement);
        }
        RETURN_IF_ERROR(ExpectKind(TokenKind::kBlockEnd, "end of statement block"));
      }
    }
  }
}

Status TemplateParser::ParseBlock(const EndTags& ends, Body* body, bool skip_end) {
  SkipOperator(":");
  RETURN_IF_ERROR(ExpectKind(TokenKind::kBlockEnd, "end of statement block"));
  open_.back().second = ends;
  RETURN_IF_ERROR(ParseBody(ends, body));
  if (skip_end) Next();
  return OkStatus();
}

Result<Stmt*> TemplateParser::ParseStatement() {
  const Nesting nesting(&nesting_);
  RETURN_IF_ERROR(CheckNesting());
  if (current().kind != TokenKind::kName) return SyntaxError(current().line, "tag name expected");
  const Token tag = current();
  open_.emplace_back(tag.text, EndTags{});
  const auto parse = [&]() -> Result<Stmt*> {
    if (tag.text == "for") return ParseFor();
    if (tag.text == "if") return ParseIf();
    if (tag.text == "set") return ParseSet();
    if (tag.text == "with") return ParseWith();
    if (tag.text == "macro") return ParseMacro();
    if (tag.text == "call") return ParseCallBlock();
    if (tag.text == "filter") return ParseFilterBlock();
    if (tag.text == "generation") return ParseGeneration();
    if (tag.text == "break" || tag.text == "continue") {
      Next();
      return Make<JumpStmt>(tag.line, tag.text == "break" ? StmtKind::kBreak : StmtKind::kContinue);
    }
    for (const std::string_view name :
         {"block", "extends", "include", "import", "from", "autoescape"}) {
      if (tag.text == name) {
        return Unsupported("chat template, line " + std::to_string(tag.line) + ": the tag '" +
                           tag.text + "' has no place in a chat template and is not supported");
      }
    }
    open_.pop_back();
    return UnknownTag(tag);
  };
  ASSIGN_OR_RETURN(Stmt * statement, parse());
  open_.pop_back();
  return statement;
}

Result<Stmt*> TemplateParser::ParseFor() {
  auto* node = Make<ForStmt>(Next().line);
  ASSIGN_OR_RETURN(node->target, ParseTarget(TupleEnd::kIn, false));
  if (!SkipName("in")) return Unexpected("in");
  ASSIGN_OR_RETURN(node->iterable, ParseTuple(false, TupleEnd::kRecursive));
  if (SkipName("if")) {
    ASSIGN_OR_RETURN(node->test, ParseExpression());
  }
  node->recursive = SkipName("recursive");
  RETURN_IF_ERROR(ParseBlock({"endfor", "else"}, &node->body, false));
  if (Next().text == "else") RETURN_IF_ERROR(ParseBlock({"endfor"}, &node->otherwise));
  return node;
}

Result<Stmt*> TemplateParser::ParseIf() {
  auto* node = Make<IfStmt>(current().line);
  while (true) {
    const std::string tag = Next().text;
    IfStmt::Branch branch{nullptr, {}};
    if (tag == "else") {
      RETURN_IF_ERROR(ParseBlock({"endif"}, &branch.body));
      node->branches.push_back(std::move(branch));
      return node;
    }
    ASSIGN_OR_RETURN(branch.test, ParseTuple(false));
    RETURN_IF_ERROR(ParseBlock({"elif", "else", "endif"}, &branch.body, false));
    node->branches.push_back(std::move(branch));
    if (SkipName("endif")) return node;
  }
}

Result<Stmt*> TemplateParser::ParseSet() {
  const int line = Next().line;
  ASSIGN_OR_RETURN(Expr * target, ParseTarget(TupleEnd::kNone, true));
  if (SkipOperator("=")) {
    auto* node = Make<SetStmt>(line);
    node->target = target;
    ASSIGN_OR_RETURN(node->value, ParseTuple());
    return node;
  }
  auto* node = Make<SetBlockStmt>(line);
  node->target = target;
  ASSIGN_OR_RETURN(node->filter, ParseFilters(nullptr, false));
  RETURN_IF_ERROR(ParseBlock({"endset"}, &node->body));
  return node;
}

Result<Stmt*> TemplateParser::ParseWith() {
  auto* node = Make<WithStmt>(Next().line);
  while (current().kind != TokenKind::kBlockEnd && !current().Is(":")) {
    if (!node->bindings.empty()) RETURN_IF_ERROR(ExpectOperator(","));
    ASSIGN_OR_RETURN(Expr * target, ParseTarget(TupleEnd::kNone, false));
    RETURN_IF_ERROR(ExpectOperator("="));
    ASSIGN_OR_RETURN(Expr * value, ParseExpression());
    node->bindings.emplace_back(target, value);
  }
  RETURN_IF_ERROR(ParseBlock({"endwith"}, &node->body));
  return node;
}

Status TemplateParser::ParseSignature(MacroStmt* macro) {
  RETURN_IF_ERROR(ExpectOperator("("));
  while (!current().Is(")")) {
    if (!macro->parameters.empty()) RETURN_IF_ERROR(ExpectOperator(","));
    const int line = current().line;
    ASSIGN_OR_RETURN(const std::string name, ExpectName());
    MacroStmt::Parameter parameter{Intern(name), nullptr};
    if (SkipOperator("=")) {
      ASSIGN_OR_RETURN(parameter.default_value, ParseExpression());
    } else if (!macro->parameters.empty() && macro->parameters.back().default_value != nullptr) {
      return SyntaxError(line, "non-default argument follows default argument");
    }
    for (const auto& other : macro->parameters) {
      if (other.name == parameter.name)
        return SyntaxError(line, "duplicate argument '" + name + "'");
    }
    macro->parameters.push_back(parameter);
  }
  return ExpectOperator(")");
}

Result<Stmt*> TemplateParser::ParseMacro() {
  auto* node = Make<MacroStmt>(Next().line);
  ASSIGN_OR_RETURN(const std::string name, ExpectName());
  node->name = Intern(name);
  RETURN_IF_ERROR(ParseSignature(node));
  RETURN_IF_ERROR(ParseBlock({"endmacro"}, &node->body));
  return node;
}

Result<Stmt*> TemplateParser::ParseCallBlock() {
  const int line = Next().line;
  auto* node = Make<CallBlockStmt>(line);
  node->caller = Make<MacroStmt>(line);
  if (current().Is("(")) RETURN_IF_ERROR(ParseSignature(node->caller));
  ASSIGN_OR_RETURN(Expr * call, ParseExpression());
  if (call->kind != ExprKind::kCall) return SyntaxError(line, "expected call");
  node->call = static_cast<CallExpr*>(call);
  RETURN_IF_ERROR(ParseBlock({"endcall"}, &node->caller->body));
  return node;
}

Result<Stmt*> TemplateParser::ParseFilterBlock() {
  auto* node = Make<FilterBlockStmt>(Next().line);
  ASSIGN_OR_RETURN(node->filter, ParseFilters(nullptr, true));
  RETURN_IF_ERROR(ParseBlock({"endfilter"}, &node->body));
  return node;
}

Result<Stmt*> TemplateParser::ParseGeneration() {
  auto* node = Make<GenerationStmt>(Next().line);
  RETURN_IF_ERROR(ParseBlock({"endgeneration"}, &node->body));
  return node;
}

// {% print a, b %}
Status TemplateParser::ParsePrint(Body* body) {
  const int line = Next().line;
  for (bool first = true; current().kind != TokenKind::kBlockEnd; first = false) {
    if (!first) RETURN_IF_ERROR(ExpectOperator(","));
    ASSIGN_OR_RETURN(Expr * value, ParseExpression());
    body->push_back(Make<OutputStmt>(line, value));
  }
  return OkStatus();
}

}  // namespace

Result<std::shared_ptr<const Syntax>> ParseTemplate(std::string_view source) {
  ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(source));
  auto syntax = std::make_shared<Syntax>();
  RETURN_IF_ERROR(TemplateParser(std::move(tokens), syntax.get()).Run());
  RETURN_IF_ERROR(Analyze(syntax.get()));
  return std::shared_ptr<const Syntax>(std::move(syntax));
}

}  // namespace galen::jinja
