// galen tokenize: ids of a text.
#include <iostream>

#include "base/files.h"
#include "commands.h"
#include "session.h"

namespace galen::cli {
namespace {

struct TokenizeOptions : ModelOptions {
  std::string file;
  bool special = false;
};

Status Tokenize(const TokenizeOptions& o) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(o.file, size_t{256} << 20));
  ASSIGN_OR_RETURN(const ModelFiles files, ReadModel(o.model));
  RETURN_IF_ERROR(files.tokenizer_status);
  EncodeOptions encode;
  encode.parse_special = o.special;
  ASSIGN_OR_RETURN(const std::vector<int32_t> ids, files.tokenizer->Encode(text, encode));
  if (o.json) {
    std::cout << Json{{"ids", ids}}.dump() << "\n";
    return OkStatus();
  }
  for (int32_t id : ids) std::cout << id << "\t" << files.tokenizer->TokenText(id) << "\n";
  return OkStatus();
}

}  // namespace

void AddTokenize(CLI::App& app, Action* action) {
  auto o = std::make_shared<TokenizeOptions>();
  CLI::App* verb = app.add_subcommand("tokenize", "Token ids of a text, without BOS");
  AddModelArgument(*verb, o.get());
  verb->add_option("--file", o->file, "The text (- is standard input)")
      ->type_name("FILE")
      ->required();
  verb->add_flag("--special", o->special, "Text that spells a control token becomes it");
  verb->add_flag("--json", o->json, "One JSON object");
  verb->callback([o, action] {
    *action = [o]() -> Status {
      RETURN_IF_ERROR(ResolveModel(o.get()));
      return Tokenize(*o);
    };
  });
}

}  // namespace galen::cli
