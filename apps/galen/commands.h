// The verbs of the command line: each file adds its own, with its options, and runs it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "base/status.h"

namespace galen::cli {

// What a verb does once its options are parsed. Set by the chosen verb's callback.
using Action = std::function<Status()>;

// For checks of options against each other, in a verb's callback: an error there is one of usage,
// with exit code 2.
inline void RequireUsage(const Status& status) {
  if (!status.ok()) throw CLI::ValidationError(status.message());
}

void AddRun(CLI::App& app, Action* action);
void AddScore(CLI::App& app, Action* action);
void AddLook(CLI::App& app, Action* action);
void AddTokenize(CLI::App& app, Action* action);
void AddShow(CLI::App& app, Action* action);
void AddBench(CLI::App& app, Action* action);
void AddDoctor(CLI::App& app, Action* action);
void AddClassify(CLI::App& app, Action* action);
void AddEmbed(CLI::App& app, Action* action);
void AddVerify(CLI::App& app, Action* action);
void AddTrain(CLI::App& app, Action* action);
void AddAdapter(CLI::App& app, Action* action);
void AddServe(CLI::App& app, Action* action);
void AddQuantize(CLI::App& app, Action* action);
void AddAudit(CLI::App& app, Action* action);
void AddExtract(CLI::App& app, Action* action);
void AddData(CLI::App& app, Action* action);
void AddDicomWeb(CLI::App& app, Action* action);
void AddManual(CLI::App& app, Action* action);
void AddPull(CLI::App& app, Action* action);
void AddImport(CLI::App& app, Action* action);
void AddList(CLI::App& app, Action* action);
void AddRm(CLI::App& app, Action* action);

}  // namespace galen::cli
