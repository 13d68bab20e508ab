// How well scores tell the images of a class from the others.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace galen {

// The area under the ROC curve: the share of pairs of a positive and a negative in which the
// positive has the larger score, a tie being half a pair. Exact: pairs are counted in integers.
// labels: 1, 0, others are left out. None: there are no positives, or no negatives.
std::optional<double> Auroc(std::span<const float> scores, std::span<const int8_t> labels);

// The threshold t in (0, 1) for which "sigmoid(logit) >= t" has the largest sensitivity +
// specificity (rule "youden"), or the largest F1 ("f1"). Candidates lie halfway between
// neighbouring scores; of equally good ones it is the one nearest to 0.5. None as Auroc.
std::optional<double> ChooseThreshold(std::span<const float> logits, std::span<const int8_t> labels,
                                      const std::string& rule);

}  // namespace galen
