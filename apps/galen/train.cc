// galen train: fine-tunes a model on conversations, or on images with labels or texts.
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/memory.h"
#include "commands.h"
#include "session.h"
#include "stop_signal.h"
#include "train/trainer.h"
#include "train_show.h"

namespace galen::cli {
namespace {

struct TrainVerbOptions {
  std::string config;
  std::vector<std::string> sets;
  bool resume = false, json = false, help_config = false;
  std::string format = "text";  // of --help-config
  int64_t dry_run = 0, show = 0;
  std::string fit;
};

std::string Duration(double seconds) {
  char text[32];
  const auto s = static_cast<int64_t>(seconds);
  if (s >= 3600)
    std::snprintf(text, sizeof(text), "%lld h %lld min", static_cast<long long>(s / 3600),
                  static_cast<long long>(s / 60 % 60));
  else
    std::snprintf(text, sizeof(text), "%lld min %lld s", static_cast<long long>(s / 60),
                  static_cast<long long>(s % 60));
  return text;
}

std::string EvalText(const EvalReport& r) {
  char text[192];
  std::snprintf(text, sizeof(text), "step %lld: evaluation loss %.4f over %lld labels%s",
                static_cast<long long>(r.step), r.loss, static_cast<long long>(r.labels),
                r.best ? ", the best so far" : "");
  std::string line = text;
  if (r.exact.has_value()) {
    std::snprintf(text, sizeof(text), "; %.1f %% of %lld examples right", 100 * *r.exact,
                  static_cast<long long>(r.examples));
    line += text;
  }
  const auto auroc = [&](const std::string& name, const std::optional<double>& value) {
    std::snprintf(text, sizeof(text), " %.4f", value.value_or(0));
    line += name + (value.has_value() ? text : " -");
  };
  if (!r.classes.empty()) auroc("; AUROC", r.mean_auroc());
  for (const ClassResult& c : r.classes)
    auroc((&c == r.classes.data() ? ": " : ", ") + c.name, c.auroc);
  return line;
}

// What a person or a machine reads while it runs: standard error, or JSON Lines on standard output.
class Reporter {
 public:
  explicit Reporter(const TrainVerbOptions& o, int64_t every)
      : o_(o), every_(every), terminal_(::isatty(2) != 0 && !o.json) {}

  TrainEvents Events() {
    TrainEvents events;
    events.stop = &stop_;
    events.reading = [this](int64_t done, int64_t of) {
      if (terminal_ && done > 0) {
        std::fprintf(stderr, "\rreading the data: %lld of %lld\033[K", static_cast<long long>(done),
                     static_cast<long long>(of));
      }
      return !stop_.load();
    };
    events.seeing = [this](int64_t done, int64_t of) {
      if (terminal_) {
        std::fprintf(stderr, "\rimages through the tower: %lld of %lld\033[K",
                     static_cast<long long>(done), static_cast<long long>(of));
      }
      return !stop_.load();
    };
    events.data = [this](const DataReport& train, const DataReport* eval) {
      Data("train", train);
      if (eval != nullptr) Data("eval", *eval);
    };
    events.fitted = [this](const FitStep& s) {
      Line(DescribeFit(s), {{"fit",
                             {{"option", s.option},
                              {"from", s.from},
                              {"to", s.to},
                              {"cost", s.cost},
                              {"before", s.before},
                              {"after", s.after}}}});
    };
    events.planned = [this](const TrainMemory& memory) { Planned(memory); };
    events.note = [this](const std::string& text) { Line(text, {{"note", text}}); };
    events.step = [this](const StepReport& report) { Step(report); };
    events.evaluated = [this](const EvalReport& r) { Line(EvalText(r), r.ToJson()); };
    events.saved = [this](const std::string& path) { Line("saved " + path, {{"saved", path}}); };
    return events;
  }

  void Line(const std::string& text, const Json& json) const {
    if (o_.json) {
      std::cout << json.dump() << std::endl;
      return;
    }
    std::fprintf(stderr, "%s%s\n", terminal_ ? "\r\033[K" : "", text.c_str());
  }

 private:
  const std::atomic<bool>& stop_ = CatchStopSignals();
  void Data(const char* which, const DataReport& r) const {
    std::string text = std::string(which) + ": " + std::to_string(r.used) + " of " +
                       std::to_string(r.lines) + " examples";
    if (r.tokens > 0) {
      text += ", " + std::to_string(r.tokens) + " tokens, " + std::to_string(r.labels) +
              " of them answers";
    }
    if (!r.classes.empty()) text += ", " + std::to_string(r.labels) + " labels";
    if (r.images > 0) text += ", " + std::to_string(r.images) + " images";
    if (r.bad > 0) text += "; " + std::to_string(r.bad) + " lines cannot be used";
    if (r.too_long > 0) text += "; " + std::to_string(r.too_long) + " are too long";
    if (r.truncated > 0) text += "; " + std::to_string(r.truncated) + " were cut";
    Json classes = Json::object();
    for (const ClassCount& c : r.classes) {
      classes[c.name] = {{"positive", c.positive}, {"negative", c.negative}};
    }
    Line(text, {{"data", which},
                {"classes", classes},
                {"lines", r.lines},
                {"used", r.used},
                {"bad", r.bad},
                {"too_long", r.too_long},
                {"truncated", r.truncated},
                {"tokens", r.tokens},
                {"labels", r.labels},
                {"images", r.images},
                {"notes", r.notes}});
    if (o_.json) return;
    for (const ClassCount& c : r.classes) {
      Line("  " + c.name + ": " + std::to_string(c.positive) + " yes, " +
               std::to_string(c.negative) + " no, " +
               std::to_string(r.used - c.positive - c.negative) + " not known",
           {});
    }
    for (const std::string& note : r.notes) Line("  " + note, {});
  }
  void Planned(const TrainMemory& m) const {
    Line(DescribeMemory(m), {{"memory",
                              {{"total", m.total()},
                               {"base", m.base},
                               {"parameters", m.parameters},
                               {"gradients", m.gradients},
                               {"optimiser", m.optimiser},
                               {"activations", m.activations}}}});
  }
  void Step(const StepReport& r) {
    seconds_ += r.seconds;
    ++steps_;
    const double left =
        seconds_ / static_cast<double>(steps_) * static_cast<double>(r.total_steps - r.step);
    char text[256];
    std::snprintf(text, sizeof(text),
                  "step %lld/%lld  loss %.4f  grad %.3g  lr %.3g  %.0f %s/s  %.0f GFLOP/s  %s left",
                  static_cast<long long>(r.step), static_cast<long long>(r.total_steps), r.loss,
                  r.grad_norm, r.learning_rate, static_cast<double>(r.tokens) / r.seconds, r.unit,
                  r.flops / r.seconds * 1e-9, Duration(left).c_str());
    if (r.step % every_ == 0 || r.step == r.total_steps) {
      Line(text, {{"step", r.step},
                  {"total_steps", r.total_steps},
                  {"epoch", r.epoch},
                  {"loss", r.loss},
                  {"grad_norm", r.grad_norm},
                  {"learning_rate", r.learning_rate},
                  {"tokens", r.tokens},
                  {"labels", r.labels},
                  {"seconds", r.seconds},
                  {"gflops", r.flops / r.seconds * 1e-9}});
    } else if (terminal_) {
      std::fprintf(stderr, "\r%s\033[K", text);
    }
  }

  const TrainVerbOptions& o_;
  const int64_t every_;
  const bool terminal_;
  double seconds_ = 0;
  int64_t steps_ = 0;
};

Status RunTrain(const TrainVerbOptions& o) {
  if (o.help_config) {
    std::cout << DescribeOptions(o.format == "markdown");
    return OkStatus();
  }
  ASSIGN_OR_RETURN(TrainOptions options, ReadTrainOptions(o.config, o.sets));
  ModelOptions model;
  model.model = options.model;
  RETURN_IF_ERROR(ResolveModel(&model));
  options.model = model.model;
  if (o.show > 0) return ShowExamples(options, o.show, o.json);
  Reporter reporter(o, options.logging_steps);
  RunMode mode;
  mode.resume = o.resume;
  mode.dry_run = o.dry_run;
  if (!o.fit.empty()) {
    const Result<int64_t> bytes = ParseMemorySize(o.fit);
    RETURN_IF_ERROR(bytes.status().WithContext("--fit"));
    mode.fit_bytes = *bytes;
  }
  ASSIGN_OR_RETURN(const TrainSummary summary, Train(options, mode, reporter.Events()));
  std::string text = std::to_string(summary.steps) + " steps";
  if (o.resume && summary.resumed_from >= summary.steps) {
    text += " were done already";
  } else {
    char loss[32];
    std::snprintf(loss, sizeof(loss), "%.4f", summary.loss);
    text += std::string(", loss ") + loss;
  }
  if (o.dry_run > 0) text += "; the data were made up, and nothing is kept";
  if (summary.stopped_early) text += ", stopped early";
  if (!summary.result.empty()) text += "; the result is " + summary.result;
  reporter.Line(text, {{"steps", summary.steps},
                       {"resumed_from", summary.resumed_from},
                       {"loss", summary.loss},
                       {"best_eval_loss", summary.best_eval_loss},
                       {"stopped_early", summary.stopped_early},
                       {"result", summary.result}});
  return OkStatus();
}

}  // namespace

void AddTrain(CLI::App& app, Action* action) {
  auto o = std::make_shared<TrainVerbOptions>();
  CLI::App* verb = app.add_subcommand(
      "train", "Fine-tune a model on conversations, or on images with labels or texts");
  verb->add_option("config", o->config, "The run's options in YAML (docs/TRAINING.md)")
      ->type_name("FILE");
  verb->add_option("--set", o->sets, "NAME=VALUE over the file's; a list with commas")
      ->allow_extra_args(false);
  verb->add_flag("--resume", o->resume, "Go on from the last checkpoint in output_dir");
  verb->add_option("--dry-run", o->dry_run,
                   "Do so many steps on made data of max_seq_length, and write nothing")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000}));
  verb->add_option("--fit", o->fit,
                   "Change options until the run needs no more memory than so much (4GB, 512MB), "
                   "those first that change the result least; says what and why")
      ->type_name("SIZE");
  verb->add_option("--show", o->show,
                   "Print the first N examples as the model will see them, what is learned in "
                   "[[brackets]], and do nothing else")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000}));
  verb->add_flag("--help-config", o->help_config, "List all options of the file");
  verb->add_option("--format", o->format, "Of --help-config: text or markdown")
      ->check(CLI::IsMember({"text", "markdown"}));
  verb->add_flag("--json", o->json, "Events as JSON Lines on standard output");
  verb->callback([o, action] {
    if (o->config.empty() && !o->help_config) throw CLI::RequiredError("CONFIG.yaml");
    *action = [o] { return RunTrain(*o); };
  });
}

}  // namespace galen::cli
