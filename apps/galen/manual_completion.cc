// Completion for bash, zsh and fish: verbs, options, known values, and files where a file is
// wanted.
#include <string>

#include "manual_tree.h"

namespace galen::cli {
namespace {

constexpr char kNote[] = "# Written by 'galen manual'; not to be edited.\n";

// Appends `item`, after a separator unless it is the first.
void AppendItem(std::string_view item, char separator, std::string* list) {
  if (!list->empty()) list->push_back(separator);
  list->append(item);
}

std::string Words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) AppendItem(word, ' ', &text);
  return text;
}

std::string LastWord(const std::string& path) { return path.substr(path.rfind(' ') + 1); }

// A shell's single quotes.
std::string Quote(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// The first clause of a help text, for lists that are one line a row.
std::string Short(const std::string& help) {
  const std::string text = help.substr(0, help.find_first_of(";("));
  return text.substr(0, text.find_last_not_of(" :,") + 1);
}

std::string BashValue(const ManualOption& o) {
  std::string action = "words=" + Quote(Words(o.words));
  if (o.folders)
    action += "; kind=folders";
  else if (o.files)
    action += "; kind=files";
  return action;
}

std::string ZshEscape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// What _arguments calls for a value.
std::string ZshValue(const ManualOption& o) {
  const std::string files = o.folders ? "_files -/" : "_files";
  if (o.words.empty()) return o.files ? files : " ";
  const std::string words = "compadd -- " + Words(o.words);
  if (!o.files) return std::string("{") + words + "}";
  return std::string("{") + words + "; " + files + "}";
}

std::string ZshFunction(const ManualVerb& verb) {
  std::string name = "_galen";
  for (const char c : verb.path.empty() ? verb.path : std::string("_") + verb.path)
    name += c == ' ' ? '_' : c;
  return name;
}

void ZshVerb(const ManualVerb& verb, std::string* out) {
  *out += "\n" + ZshFunction(verb) + "() {\n  local curcontext=\"$curcontext\" state line\n" +
          "  typeset -A opt_args\n  _arguments -s -C";
  const auto line = [&](const std::string& spec) { *out += " \\\n    " + Quote(spec); };
  for (const ManualOption& o : verb.options) {
    for (const std::string& name : o.names) {
      std::string spec;
      if (o.names.size() > 1) spec.append("(").append(Words(o.names)).append(")");
      if (o.repeats) spec += '*';
      spec += name;
      if (!o.value.empty() && name.starts_with("--")) spec += "=";
      spec.append("[").append(ZshEscape(Short(o.help))).append("]");
      if (!o.value.empty())
        spec.append(":").append(ZshEscape(o.value)).append(":").append(ZshValue(o));
      line(spec);
    }
  }
  if (verb.verbs.empty()) {
    for (const ManualOption& p : verb.positionals) {
      std::string spec = p.repeats ? "*:" : p.required ? ":" : "::";
      line(spec += p.names[0] + ":" + ZshValue(p));
    }
    *out += "\n}\n";
    return;
  }
  line("1:verb:->verb");
  line("*::argument:->argument");
  *out += "\n  case $state in\n    verb)\n      local -a verbs=(\n";
  for (const ManualVerb& inner : verb.verbs)
    *out += "        " + Quote(LastWord(inner.path) + ":" + ZshEscape(Short(inner.help))) + "\n";
  *out += "      )\n      _describe verb verbs\n      ;;\n    argument)\n      case $words[1] in\n";
  for (const ManualVerb& inner : verb.verbs)
    *out += "        " + LastWord(inner.path) + ") " + ZshFunction(inner) + " ;;\n";
  *out += "      esac\n      ;;\n  esac\n}\n";
  for (const ManualVerb& inner : verb.verbs) ZshVerb(inner, out);
}

}  // namespace

std::string BashCompletion(const ManualVerb& root) {
  std::string paths, values, words;
  for (const ManualVerb* verb : Flatten(root)) {
    if (!verb->path.empty()) paths += (paths.empty() ? "" : "|") + ("\"" + verb->path + "\"");
    std::string options;
    for (const ManualOption& o : verb->options) {
      AppendItem(Words(o.names), ' ', &options);
      if (o.value.empty()) continue;
      for (const std::string& name : o.names)
        values += "    " + Quote(verb->path + ":" + name) + ") " + BashValue(o) + " ;;\n";
    }
    std::string rest;
    for (const ManualVerb& inner : verb->verbs) AppendItem(LastWord(inner.path), ' ', &rest);
    std::string action = "words=" + Quote(rest);
    for (const ManualOption& p : verb->positionals) {
      if (!p.words.empty()) action = "words=" + Quote(Words(p.words));
      if (p.files) action += "; kind=files";
    }
    words += "    " + Quote(verb->path) + ") options=" + Quote(options) + "; " + action + " ;;\n";
  }
  return std::string("# bash completion for galen\n") + kNote + R"(_galen() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= words= kind= options= i
  COMPREPLY=()
  # "--format=json" arrives as three words.
  if [[ $cur == "=" ]]; then
    cur=
  elif [[ $prev == "=" && $COMP_CWORD -gt 2 ]]; then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${path:+$path }${COMP_WORDS[i]}" in
      )" +
         paths +
         R"() path="${path:+$path }${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path:$prev" in
)" + values +
         R"(    *)
      case "$path" in
)" + words +
         R"(      esac
      if [[ $cur == -* ]]; then
        words=$options kind=
      fi
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
  if [[ $kind == files ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
  elif [[ $kind == folders ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$cur")
  fi
}
complete -F _galen galen
)";
}

std::string ZshCompletion(const ManualVerb& root) {
  std::string out = std::string("#compdef galen\n") + kNote;
  ZshVerb(root, &out);
  return out +
         "\nif [ \"$funcstack[1]\" = _galen ]; then\n  _galen \"$@\"\nelse\n  compdef _galen "
         "galen\nfi\n";
}

std::string FishCompletion(const ManualVerb& root) {
  std::string out =
      std::string("# fish completion for galen\n") + kNote +
      "\n# True where the words so far name exactly this verb.\nfunction "
      "__galen_at\n  set -l words (commandline -opc)\n  set -l path\n"
      "  for word in $words[2..-1]\n    set -l next (string join -- ' ' $path $word)\n"
      "    contains -- $next";
  for (const ManualVerb* verb : Flatten(root))
    if (!verb->path.empty()) out += " " + Quote(verb->path);
  out +=
      "; and set path $path $word\n  end\n  test (string join -- ' ' $path \"\") = (string join -- "
      "' ' "
      "(string split -n -- ' ' $argv[1]) \"\")\nend\n\ncomplete -c galen -f\n";
  for (const ManualVerb* verb : Flatten(root)) {
    const std::string at = "complete -c galen -n " + Quote("__galen_at " + Quote(verb->path));
    for (const ManualVerb& inner : verb->verbs)
      out += at + " -a " + LastWord(inner.path) + " -d " + Quote(Short(inner.help)) + "\n";
    for (const ManualOption& o : verb->options) {
      out += at;
      for (const std::string& name : o.names)
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (!o.words.empty()) out += " -a " + Quote(Words(o.words));
      if (!o.value.empty())
        out += o.folders ? " -x -a '(__fish_complete_directories)'" : o.files ? " -r -F" : " -x";
      out += " -d " + Quote(Short(o.help)) + "\n";
    }
    for (const ManualOption& p : verb->positionals) {
      if (!p.words.empty()) out += at + " -a " + Quote(Words(p.words)) + "\n";
      if (p.files) out += at + " -F\n";
    }
  }
  return out;
}

}  // namespace galen::cli
