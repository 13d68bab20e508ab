// What stands in front of a data set in a file (PS3.10 7.1).
#pragma once

#include <string>

namespace galen::dicomnet {

// Preamble, prefix and meta information: nothing of who sent it, so that the same instance is the
// same file. UIDs of at most 64 characters.
std::string FileHead(const std::string& sop_class, const std::string& instance,
                     const std::string& syntax);

}  // namespace galen::dicomnet
