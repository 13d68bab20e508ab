// A conversation at a terminal.
#pragma once

#include <functional>
#include <string>

#include "engine/generation.h"

namespace galen::cli {

// Reads lines (libedit: editing and history, in memory only, since what is typed may be about
// patients), answers, until /exit or end of input. `base` carries sampling and limits. `guard` runs
// one answer so that Ctrl-C ends it alone.
Status Converse(Engine& engine, const ModelFiles& files, const std::string& system,
                const TextRequest& base,
                const std::function<Status(const std::function<Status()>& answer)>& guard);

}  // namespace galen::cli
