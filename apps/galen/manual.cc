// galen manual: docs/CLI.md, man pages and shell completions, written from the options themselves.
#include <filesystem>
#include <iostream>

#include "base/files.h"
#include "commands.h"
#include "manual_tree.h"

namespace galen::cli {
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
