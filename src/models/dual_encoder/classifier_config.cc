#include "models/dual_encoder/classifier_config.h"

#include <algorithm>
#include <set>

namespace galen {
namespace {

constexpr size_t kMaxLabels = 1 << 20;

Result<std::vector<std::string>> ReadLabels(const JsonView& root) {
  if (!root.Has("id2label")) {
    return NotFound(root.Describe("id2label") +
                    " is missing: the head's scores would have no names");
  }
  ASSIGN_OR_RETURN(const JsonView view, root.Object("id2label"));
  const size_t count = view.json().size();
  if (count == 0 || count > kMaxLabels) {
    return DataLoss(root.Describe("id2label") + " has " + std::to_string(count) +
                    " labels, expected 1.." + std::to_string(kMaxLabels));
  }
  std::vector<std::string> labels;
  std::set<std::string> seen;
  for (size_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(std::string label, view.GetString(std::to_string(i)));
    if (!seen.insert(label).second) {
      return DataLoss(root.Describe("id2label") + " names '" + label.substr(0, 64) + "' twice");
    }
    labels.push_back(std::move(label));
  }
  return labels;
}

Status ReadThresholds(const JsonView& view, ClassifierConfig* c) {
  c->thresholds.assign(c->labels.size(), 0.5f);
  for (const auto& [label, value] : view.json().items()) {
    const auto at = std::find(c->labels.begin(), c->labels.end(), label);
    if (at == c->labels.end()) {
      return DataLoss(view.Describe(label) + ": id2label has no such label");
    }
    ASSIGN_OR_RETURN(const double threshold, view.GetDouble(label, 0, 1));
    c->thresholds[static_cast<size_t>(at - c->labels.begin())] = static_cast<float>(threshold);
  }
  return OkStatus();
}

}  // namespace

Result<ClassifierConfig> ReadClassifier(const JsonView& root) {
  ClassifierConfig c;
  ASSIGN_OR_RETURN(c.labels, ReadLabels(root));
  ASSIGN_OR_RETURN(const std::string problem, root.GetStringOr("problem_type", ""));
  c.multi_label = problem == "multi_label_classification";
  if (!c.multi_label && !problem.empty() && problem != "single_label_classification") {
    return Unsupported(root.Describe("problem_type") + " is '" + problem.substr(0, 64) +
                       "'; multi_label_classification and single_label_classification are known");
  }
  ASSIGN_OR_RETURN(const JsonView own, root.Object("galen"));
  ASSIGN_OR_RETURN(const std::string framing, own.GetStringOr("preprocessing", "plain"));
  const Result<Framing> known = FramingFromName(framing);
  if (!known.ok()) return known.status().WithContext(own.Describe("preprocessing"));
  c.framing = *known;
  ASSIGN_OR_RETURN(const JsonView thresholds, own.Object("thresholds"));
  if (!thresholds.json().empty() && !c.multi_label) {
    return DataLoss(own.Describe("thresholds") + ": only multi-label heads have thresholds");
  }
  if (c.multi_label) RETURN_IF_ERROR(ReadThresholds(thresholds, &c));
  return c;
}

}  // namespace galen
