// The command line as data, read from the options as the verbs declare them: what docs/CLI.md, the
// man pages and the shells' completions are written from.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace galen::cli {

struct ManualOption {
  std::vector<std::string> names;  // "-n", "--format"; of a positional its one name, without dashes
  std::string value;               // what stands for the value: "FILE", "INT"; empty: a flag
  std::vector<std::string>
      words;                  // values that are known by name: of an enumeration, or beside FILE
  bool files = false;         // the value may be a file or a folder
  bool folders = false;       // it is a folder
  bool only_words = false;    // nothing but `words`
  std::string range;          // "1 to 100"; empty: any
  std::string default_value;  // empty: none, or said in the help
  std::string help;
  std::vector<std::string> excludes, needs;  // names of other options
  bool positional = false, required = false, repeats = false;
};

struct ManualVerb {
  std::string path;  // "adapter merge"; of the program itself empty
  std::string help;
  std::vector<ManualOption> positionals, options;
  std::vector<ManualVerb> verbs;
};

// A value's name says what completes it: FILE, DIR, PATH and MODEL are files; words in small
// letters stand for themselves ("off|ngram|MODEL"), KIND and RECIPE for the names that there are.
ManualVerb ReadManual(const CLI::App& app);

// All verbs in the order of the help: the program, then each verb followed by its own.
std::vector<const ManualVerb*> Flatten(const ManualVerb& root);

std::string Synopsis(const ManualVerb& verb);

// An environment variable that the program reads, and what for.
struct ManualVariable {
  const char* name;
  const char* help;
};
const std::vector<ManualVariable>& Variables();

std::string MarkdownManual(const ManualVerb& root);
// The page galen.1 or galen-VERB.1.
std::string ManPage(const ManualVerb& root, const ManualVerb& verb, const std::string& version);
std::string ManPageName(const ManualVerb& verb);  // "galen-adapter-merge"
std::string BashCompletion(const ManualVerb& root);
std::string ZshCompletion(const ManualVerb& root);
std::string FishCompletion(const ManualVerb& root);

}  // namespace galen::cli
