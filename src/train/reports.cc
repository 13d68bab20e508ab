#include "train/reports.h"

namespace galen {

std::optional<double> EvalReport::mean_auroc() const {
  double sum = 0;
  int64_t count = 0;
  for (const ClassResult& c : classes) {
    if (!c.auroc.has_value()) continue;
    sum += *c.auroc;
    ++count;
  }
  return count == 0 ? std::nullopt : std::optional<double>(sum / static_cast<double>(count));
}

Json EvalReport::ToJson() const {
  Json json = {{"step", step},
               {"eval_loss", loss},
               {"eval_labels", labels},
               {"eval_examples", examples},
               {"best", best}};
  if (exact.has_value()) json["eval_exact"] = *exact;
  if (classes.empty()) return json;
  const std::optional<double> mean = mean_auroc();
  json["eval_mean_auroc"] = mean.has_value() ? Json(*mean) : Json();
  for (const ClassResult& c : classes) {
    json["eval_auroc"][c.name] = c.auroc.has_value() ? Json(*c.auroc) : Json();
  }
  return json;
}

}  // namespace galen
