// What a run tells of its steps and evaluations.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace galen {

struct StepReport {
  int64_t step = 0;  // from 1
  int64_t total_steps = 0;
  double epoch = 0;
  double loss = 0;       // mean over the labels of the step
  double grad_norm = 0;  // before clipping
  double learning_rate = 0;
  int64_t tokens = 0;        // or images
  const char* unit = "tok";  // of those
  int64_t labels = 0;
  double seconds = 0;
  // Multiply-adds of the matrices that the step needs, times two for each of forward and input
  // gradient, and attention's: what the share of the limit counts. Products with trained matrices
  // need as much again.
  double flops = 0;
};

// Of a classification head's class, over the examples whose label is known.
struct ClassResult {
  std::string name;
  std::optional<double> auroc;  // none: only positives, or only negatives
};

struct EvalReport {
  int64_t step = 0;
  double loss = 0;
  int64_t labels = 0;
  int64_t examples = 0;
  // Share of examples that are right: of which greedy decoding would say every answer, or of images
  // to which no other text of their batch is closer than their own.
  std::optional<double> exact;
  std::vector<ClassResult> classes;
  bool best = false;

  // Over the classes that have one; none: no class has.
  std::optional<double> mean_auroc() const;
  // {"step", "eval_loss", "eval_labels", "best", ...}: a line of the log.
  Json ToJson() const;
};

}  // namespace galen
