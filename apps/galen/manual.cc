// galen manual: docs/CLI.md, man pages and shell completions, written from the options themselves.
// The tree is read here, too: CLI11's headers are dear to compile.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "base/files.h"
#include "commands.h"
#include "extract/kind.h"
#include "manual_tree.h"
#include "recipes/recipe.h"

namespace galen::cli {
namespace {

std::vector<std::string> SplitAt(const std::string& text, char at) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t end; (end = text.find(at, begin)) != std::string::npos; begin = end + 1)
    parts.push_back(text.substr(begin, end - begin));
  parts.push_back(text.substr(begin));
  return parts;
}

bool IsWord(const std::string& part) {
  return !part.empty() &&
         std::none_of(part.begin(), part.end(), [](unsigned char c) { return std::isupper(c); });
}

// The names that a word in capitals stands for, where the program has a list of them.
std::vector<std::string> NamesFor(const std::string& part) {
  std::vector<std::string> names;
  if (part == "KIND") {
    for (const extract::Kind& kind : extract::Kinds()) names.push_back(kind.id);
  } else if (part == "RECIPE") {
    for (const Recipe& recipe : BuiltinRecipes()) names.push_back(recipe.name);
  }
  return names;
}

// "INT in [1 - 100]", as CLI::Range describes itself.
std::string RangeOf(const std::string& check) {
  if (check == "NONNEGATIVE") return "0 or more";
  if (check == "POSITIVE") return "above 0";
  const size_t open = check.find(" in ["), dash = check.find(" - "), close = check.find(']');
  if (open == std::string::npos || dash == std::string::npos || close == std::string::npos)
    return "";
  const std::string low = check.substr(open + 5, dash - open - 5);
  const std::string high = check.substr(dash + 3, close - dash - 3);
  // A bound that is there for the arithmetic alone says nothing to a reader.
  if (std::strtod(high.c_str(), nullptr) >= 1 << 30) return low + " or more";
  return low + " to " + high;
}

// What the option's type and its checks say: "TEXT:{a,b}", "INT:INT in [1 - 9]", "off|FILE".
void ReadType(const std::string& type, ManualOption* o) {
  const size_t colon = type.find(':');
  o->value = type.substr(0, colon);
  if (colon != std::string::npos) {
    const std::string check = type.substr(colon + 1);
    if (check.starts_with('{') && check.ends_with('}')) {
      o->words = SplitAt(check.substr(1, check.size() - 2), ',');
      o->only_words = true;
      o->value.clear();
      for (const std::string& word : o->words) o->value += (o->value.empty() ? "" : "|") + word;
      return;
    }
    o->range = RangeOf(check);
  }
  o->only_words = true;
  for (const std::string& part : SplitAt(o->value, '|')) {
    if (IsWord(part)) {
      o->words.push_back(part);
      continue;
    }
    const std::vector<std::string> names = NamesFor(part);
    o->words.insert(o->words.end(), names.begin(), names.end());
    o->only_words = false;
    o->files |= part == "FILE" || part == "PATH" || part == "MODEL" || part == "DIR";
    o->folders |= part == "DIR";
  }
}

std::string Upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::toupper(c); });
  return text;
}

std::vector<std::string> NamesOf(const std::set<CLI::Option*>& options) {
  std::vector<std::string> names;
  for (const CLI::Option* option : options) names.push_back(option->get_name());
  std::sort(names.begin(), names.end());
  return names;
}

ManualOption ReadOption(const CLI::Option& option) {
  ManualOption o;
  o.positional = option.get_positional();
  for (const std::string& name : option.get_snames()) o.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) o.names.push_back("--" + name);
  if (o.positional) o.names = {option.get_name(true)};
  if (option.get_items_expected_max() > 0) ReadType(option.get_type_name(), &o);
  o.default_value = option.get_default_str();
  o.help = option.get_description();
  o.excludes = NamesOf(option.get_excludes());
  o.needs = NamesOf(option.get_needs());
  o.required = option.get_required();
  o.repeats = !o.value.empty() && option.get_expected_max() > 1;
  return o;
}

}  // namespace

ManualVerb ReadManual(const CLI::App& app) {
  ManualVerb verb;
  for (const CLI::App* at = &app; at->get_parent() != nullptr; at = at->get_parent())
    verb.path = at->get_name() + (verb.path.empty() ? "" : " ") + verb.path;
  verb.help = app.get_description();
  for (const CLI::Option* option : app.get_options()) {
    ManualOption o = ReadOption(*option);
    (o.positional ? verb.positionals : verb.options).push_back(std::move(o));
  }
  for (const CLI::App* child : app.get_subcommands({})) verb.verbs.push_back(ReadManual(*child));
  return verb;
}

std::vector<const ManualVerb*> Flatten(const ManualVerb& root) {
  std::vector<const ManualVerb*> all = {&root};
  for (const ManualVerb& verb : root.verbs)
    for (const ManualVerb* inner : Flatten(verb)) all.push_back(inner);
  return all;
}

std::string Synopsis(const ManualVerb& verb) {
  std::string text = "galen" + (verb.path.empty() ? "" : " " + verb.path);
  if (!verb.verbs.empty()) return text + " VERB ...";
  for (const ManualOption& p : verb.positionals) {
    std::string name = Upper(p.names[0]);
    if (p.repeats) name += "...";
    text += p.required ? " " + name : " [" + name + "]";
  }
  for (const ManualOption& o : verb.options)
    if (o.required) text += " " + o.names.back() + " " + Upper(o.names.back().substr(2));
  return text + " [OPTION]...";
}

const std::vector<ManualVariable>& Variables() {
  static const std::vector<ManualVariable> variables = {
      {"GALEN_ISA",
       "Instruction set that is used at most: ref, avx2, avx512, avx512_bf16 or amx; without it, "
       "the "
       "best that the processor has."},
      {"GALEN_STORE",
       "Where the store of models lies; $XDG_DATA_HOME/galen/store or ~/.local/share/galen/store "
       "without it."},
      {"HF_ENDPOINT", "A mirror of the hub, instead of https://huggingface.co."},
      {"HF_HUB_OFFLINE", "1: nothing is fetched, as with --offline. GALEN_OFFLINE does the same."},
      {"HF_TOKEN",
       "The hub's token, for what is gated or private; sent to the hub alone, and printed "
       "nowhere."},
      {"OLLAMA_MODELS", "Where Ollama's store lies, for models named ollama:NAME."},
      {"PATH", "Where pdfinfo, pdftoppm, pdftotext and tesseract are looked for."},
      {"TMPDIR", "Where they may write while they work on a page; /tmp without it."}};
  return variables;
}

namespace {

struct ManualOptions {
  std::string format = "markdown", out;
};

Status WriteManPages(const ManualVerb& root, const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return InvalidArgument("cannot make the folder " + folder + ": " + error.message());
  for (const ManualVerb* verb : Flatten(root)) {
    RETURN_IF_ERROR(WriteFileAtomically(folder + "/" + ManPageName(*verb) + ".1",
                                        ManPage(root, *verb, GALEN_VERSION)));
  }
  return OkStatus();
}

Status WriteManual(const ManualOptions& o, const ManualVerb& root) {
  if (o.format == "man") return WriteManPages(root, o.out);
  const std::string text = o.format == "bash"   ? BashCompletion(root)
                           : o.format == "zsh"  ? ZshCompletion(root)
                           : o.format == "fish" ? FishCompletion(root)
                                                : MarkdownManual(root);
  if (!o.out.empty()) return WriteFileAtomically(o.out, text);
  std::cout << text;
  return OkStatus();
}

}  // namespace

void AddManual(CLI::App& app, Action* action) {
  auto o = std::make_shared<ManualOptions>();
  CLI::App* verb =
      app.add_subcommand("manual", "The command line as a page, as man pages, or for a shell");
  verb->add_option("--format", o->format,
                   "markdown (docs/CLI.md), man (a page a verb), or the completion of bash, zsh or "
                   "fish")
      ->check(CLI::IsMember({"markdown", "man", "bash", "zsh", "fish"}))
      ->capture_default_str();
  verb->add_option("--out", o->out, "File to write, or folder of the man pages")->type_name("FILE");
  verb->callback([o, action, &app] {
    if (o->format == "man" && o->out.empty())
      RequireUsage(InvalidArgument("--format man wants the folder --out: it is many files"));
    *action = [o, &app] { return WriteManual(*o, ReadManual(app)); };
  });
}

}  // namespace galen::cli
