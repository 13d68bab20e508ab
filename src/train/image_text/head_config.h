// config.json of what a run writes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "models/dual_encoder/dual_encoder_config.h"

namespace galen {

// config.json of a model's directory, values in files being fp32 from now on.
Result<Json> ConfigInFp32(const std::string& directory);

// The same as that of a SiglipForImageClassification of several labels, with what galen keeps of a
// head (docs/models/medsiglip.md). thresholds: one for each label, or none at all; a label without
// one has 0.5.
Json HeadConfig(Json base, const std::vector<std::string>& labels, Framing framing,
                const std::vector<std::optional<double>>& thresholds);

}  // namespace galen
