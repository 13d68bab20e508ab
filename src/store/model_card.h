// The licence that a model card (README.md) states between its first lines of "---".
#pragma once

#include <string_view>

#include "store/manifest.h"

namespace galen {

License LicenseOfCard(std::string_view text);

}  // namespace galen
