// What the operating system refused, as a Status: a full disk says what to do.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/status.h"

namespace galen {

// Of errno: NotFound (ENOENT), ResourceExhausted (no room, file too large), Io.
Status SystemError(const std::string& what, const std::string& path);

}  // namespace galen
