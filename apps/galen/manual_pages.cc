// docs/CLI.md and the man pages.
#include <cctype>
#include <string>

#include "manual_tree.h"

namespace galen::cli {
namespace {

std::string Join(const std::vector<std::string>& parts, const std::string& between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
  return text;
}

// What follows the help: range, default, and what the option goes with.
std::string Facts(const ManualOption& o) {
  std::vector<std::string> facts;
  if (o.required) facts.push_back("required");
  if (!o.range.empty()) facts.push_back(o.range);
  if (!o.default_value.empty()) facts.push_back("default " + o.default_value);
  if (o.repeats && !o.positional) facts.push_back("several may be given");
  if (!o.needs.empty()) facts.push_back("with " + Join(o.needs, ", "));
  if (!o.excludes.empty()) facts.push_back("not with " + Join(o.excludes, ", "));
  return Join(facts, "; ");
}

std::string Sentence(const ManualOption& o) {
  const std::string facts = Facts(o);
  if (o.help.empty()) return facts;
  return facts.empty() ? o.help : o.help + " (" + facts + ")";
}

std::string MarkdownCell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*' || c == '_') out += '\\';
    out += c;
  }
  return out;
}

void MarkdownRows(const std::vector<ManualOption>& options, std::string* out) {
  for (const ManualOption& o : options) {
    std::string name = Join(o.names, ", ");
    if (!o.positional && !o.value.empty()) name += " " + o.value;
    std::string escaped;  // inside a code span only the bar of the table needs it
    for (const char c : name) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
    *out += "| `" + escaped + "` | " + MarkdownCell(Sentence(o)) + " |\n";
  }
}

// Text of a man page: what troff would take for its own is escaped.
std::string Roff(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool begins = i == 0 || text[i - 1] == '\n';
    if (begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '\'')
      out += "\\(aq";
    else if (c == '^')
      out += "\\(ha";
    else if (c == '~')
      out += "\\(ti";
    else if (c == '`')
      out += "\\(ga";
    else if (c == '|')
      out += "|\\:";  // a long enumeration may be broken here
    else
      out += c;
  }
  return out;
}

void RoffOptions(const std::string& title, const std::vector<ManualOption>& options,
                 std::string* out) {
  if (options.empty()) return;
  *out += ".SH " + title + "\n";
  for (const ManualOption& o : options) {
    std::vector<std::string> names;
    for (const std::string& name : o.names) names.push_back("\\fB" + Roff(name) + "\\fR");
    *out += ".TP\n" + Join(names, ", ");
    if (!o.positional && !o.value.empty())
      out->append(" \\fI").append(Roff(o.value)).append("\\fR");
    out->append("\n").append(Roff(Sentence(o))).append("\n");
  }
}

}  // namespace

std::string MarkdownManual(const ManualVerb& root) {
  std::string out =
      "# The command line\n\n"
      "Written by `galen manual --format markdown` from the options as the program declares them; "
      "`galen VERB --help` prints the\nsame. Exit codes: 0 done, 1 failed with a message on "
      "standard "
      "error, 2 wrong usage.\n\n"
      "| verb | |\n|---|---|\n";
  for (const ManualVerb* verb : Flatten(root)) {
    if (verb->path.empty() || !verb->verbs.empty()) continue;
    std::string anchor = "galen " + verb->path;
    for (char& c : anchor) c = c == ' ' ? '-' : c;
    out += "| [`" + verb->path + "`](#" + anchor + ") | " + MarkdownCell(verb->help) + " |\n";
  }
  out += "\n| variable | |\n|---|---|\n";
  for (const ManualVariable& v : Variables())
    out += std::string("| `") + v.name + "` | " + MarkdownCell(v.help) + " |\n";
  for (const ManualVerb* verb : Flatten(root)) {
    if (verb->path.empty() || !verb->verbs.empty()) continue;
    out += "\n## galen " + verb->path + "\n\n" + MarkdownCell(verb->help) + ".\n\n    " +
           Synopsis(*verb) + "\n\n| | |\n|---|---|\n";
    MarkdownRows(verb->positionals, &out);
    MarkdownRows(verb->options, &out);
  }
  return out;
}

std::string ManPageName(const ManualVerb& verb) {
  std::string name = verb.path.empty() ? "galen" : "galen-" + verb.path;
  for (char& c : name) c = c == ' ' ? '-' : c;
  return name;
}

std::string ManPage(const ManualVerb& root, const ManualVerb& verb, const std::string& version) {
  const std::string name = ManPageName(verb);
  std::string help = verb.help;
  if (help.ends_with('.')) help.pop_back();
  std::string upper = name;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string out = ".\\\" Written by 'galen manual --format man'.\n.TH " + Roff(upper) +
                    " 1 \"\" \"galen " + version + "\" \"galen manual\"\n.nh\n.ad l\n.SH NAME\n" +
                    Roff(name) + " \\- " + Roff(help) + "\n.SH SYNOPSIS\n.B " +
                    Roff(Synopsis(verb)) + "\n.SH DESCRIPTION\n" + Roff(help) + ".\n";
  if (verb.path.empty()) {
    out +=
        "No patient text or image leaves the machine. Only \\fBgalen pull\\fR and\n"
        "\\fBgalen doctor hf:...\\fR make connections: they fetch models, and ask about them.\n"
        "A model is a GGUF file, a Hugging Face directory, or the name of one in the store of\n"
        "galen, of Hugging Face's tools or of Ollama.\n"
        ".PP\ngalen is not a medical device; its answers are to be checked.\n";
  }
  std::vector<ManualOption> verbs;
  for (const ManualVerb& inner : verb.verbs) {
    ManualOption entry;
    entry.names = {inner.path.substr(inner.path.rfind(' ') + 1)};
    entry.help = inner.help;
    entry.positional = true;
    verbs.push_back(std::move(entry));
  }
  RoffOptions("VERBS", verbs, &out);
  RoffOptions("ARGUMENTS", verb.positionals, &out);
  RoffOptions("OPTIONS", verb.options, &out);
  out += ".SH EXIT STATUS\n0: done. 1: failed, with a message on standard error. 2: wrong usage.\n";
  if (verb.path.empty()) {
    out += ".SH ENVIRONMENT\n";
    for (const ManualVariable& v : Variables())
      out += std::string(".TP\n.B ") + v.name + "\n" + Roff(v.help) + "\n";
  }
  std::vector<std::string> others;
  if (!verb.path.empty()) others.push_back("galen");
  for (const ManualVerb& inner : verb.path.empty() ? root.verbs : verb.verbs)
    others.push_back(ManPageName(inner));
  out += ".SH SEE ALSO\n";
  for (size_t i = 0; i < others.size(); ++i)
    out += ".BR " + Roff(others[i]) + (i + 1 < others.size() ? " (1),\n" : " (1)\n");
  return out;
}

}  // namespace galen::cli
