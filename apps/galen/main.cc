// galen: one program, one verb per job. Exit codes: 0 ok, 1 failed, 2 usage.
#include <fcntl.h>

#include <algorithm>
#include <exception>
#include <iostream>
#include <new>

#include "base/nearest_name.h"
#include "builtin_models.h"
#include "commands.h"

namespace {

int Fail(const std::string& message) {
  std::cerr << "galen: " << message << "\n";
  return 1;
}

std::string DidYouMean(const std::string& wrong, const std::vector<std::string>& names) {
  const std::string nearest = galen::NearestName(wrong, names);
  const bool alike = !nearest.empty() && 2 * galen::EditDistance(wrong, nearest, 8) <= wrong.size();
  return alike ? "; did you mean " + nearest + "?" : "";
}

std::string UnknownArgument(const CLI::App& verb, const std::vector<std::string>& extras) {
  for (const std::string& extra : extras) {
    if (!extra.starts_with("-")) continue;
    const std::string name = extra.substr(0, extra.find('='));
    std::vector<std::string> names;
    for (const CLI::Option* option : verb.get_options())
      for (const std::string& known : option->get_lnames()) names.push_back("--" + known);
    return "there is no option " + name + DidYouMean(name, names);
  }
  return "unexpected: '" + (extras.empty() ? "" : extras.front()) + "'";
}

// Prints what is wrong with the command line, or the help that was asked for; the exit code.
int ReportUsage(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);
  const CLI::App* verb = &app;
  std::string path = "galen";
  while (!verb->get_subcommands().empty()) {
    verb = verb->get_subcommands().front();
    path += " " + verb->get_name();
  }
  const bool extras = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
  if (!extras && verb->get_subcommands().empty() && !verb->get_subcommands({}).empty()) {
    std::cerr << verb->help();  // a verb is missing: these are they
    return 2;
  }
  std::cerr << "galen: " << (extras ? UnknownArgument(*verb, app.remaining(true)) : error.what())
            << "\n"
            << path << " --help lists what there is\n";
  return 2;
}

// A file must not take the number of a closed standard stream: what is printed would go into it. A
// closed output stays one that cannot be written.
void KeepStandardStreams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) == -1) (void)::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace

int main(int argc, char** argv) {
  KeepStandardStreams();
  galen::SetBuiltinFiles(galen::MiniFiles());
  CLI::App app("galen runs medical language and image models on your own hardware.", "galen");
  app.set_version_flag("--version", "galen " GALEN_VERSION);
  app.require_subcommand(1);
  galen::cli::Action action;
  galen::cli::AddRun(app, &action);
  galen::cli::AddScore(app, &action);
  galen::cli::AddLook(app, &action);
  galen::cli::AddTokenize(app, &action);
  galen::cli::AddShow(app, &action);
  galen::cli::AddBench(app, &action);
  galen::cli::AddDoctor(app, &action);
  galen::cli::AddClassify(app, &action);
  galen::cli::AddEmbed(app, &action);
  galen::cli::AddVerify(app, &action);
  galen::cli::AddTrain(app, &action);
  galen::cli::AddAdapter(app, &action);
  galen::cli::AddServe(app, &action);
  galen::cli::AddQuantize(app, &action);
  galen::cli::AddAudit(app, &action);
  galen::cli::AddExtract(app, &action);
  galen::cli::AddData(app, &action);
  galen::cli::AddPull(app, &action);
  galen::cli::AddImport(app, &action);
  galen::cli::AddList(app, &action);
  galen::cli::AddRm(app, &action);
  galen::cli::AddDicomWeb(app, &action);
  galen::cli::AddManual(app, &action);
  try {
    if (argc > 1 && argv[1][0] != '-') {
      std::vector<std::string> verbs;
      for (const CLI::App* verb : app.get_subcommands({})) verbs.push_back(verb->get_name());
      if (argv[1] == std::string("help")) {
        std::vector<std::string> words(argv + 2, argv + argc);
        words.push_back("--help");
        std::reverse(words.begin(), words.end());  // as CLI11 wants them
        app.parse(std::move(words));
      } else if (std::find(verbs.begin(), verbs.end(), argv[1]) == verbs.end()) {
        const std::string meant = DidYouMean(argv[1], verbs);
        std::cerr << "galen: unknown verb '" << argv[1] << "'" << (meant.empty() ? ";" : meant)
                  << " known:";
        for (const std::string& verb : verbs) std::cerr << " " << verb;
        std::cerr << "\n";
        return 2;
      }
    }
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return ReportUsage(app, error);
  }
  try {
    const galen::Status status = action();
    std::cout.flush();
    if (!status.ok()) return Fail(status.message());
    if (!std::cout) return Fail("cannot write to standard output");
    return 0;
  } catch (const std::bad_alloc&) {
    return Fail("out of memory; use a smaller --context or a smaller model");
  } catch (const std::exception& error) {
    return Fail(error.what());
  }
}
