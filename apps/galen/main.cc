// galen: one program, one verb per job. Exit codes: 0 ok, 1 failed, 2 usage.
#include <exception>
#include <iostream>
#include <new>

#include "commands.h"

namespace {

int Fail(const std::string& message) {
  std::cerr << "galen: " << message << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
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
  try {
    if (argc > 1 && argv[1][0] != '-') {
      std::string verbs;
      bool known = false;
      for (const CLI::App* verb : app.get_subcommands({})) {
        known |= verb->get_name() == argv[1];
        verbs += " " + verb->get_name();
      }
      if (!known) {
        std::cerr << "galen: unknown verb '" << argv[1] << "'; known:" << verbs << "\n";
        return 2;
      }
    }
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
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
