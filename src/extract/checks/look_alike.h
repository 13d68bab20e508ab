// What an optical reader takes for something else.
#pragma once

#include <string_view>

namespace galen::extract {

// Whether `printed` may have been read as `read`: the same but for one or two places where letters
// look alike in print ("umol/L" and "pmol/L", "10^9/L" and "10°/L", "mmol/L" and "mmol/1"). Both
// folded (FoldUnit); false for equal texts and for units of one or two letters.
bool LooksLikeUnit(std::string_view printed, std::string_view read);

}  // namespace galen::extract
