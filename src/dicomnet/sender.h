// C-STORE to another system.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "dicomnet/peers.h"

namespace galen::dicomnet {

// Sends one instance, a file of PS3.10 of galen's own making in explicit little endian, and returns
// when the other has acknowledged it. title: who calls. Io: not reached, rejected, ended or too
// slow; Unsupported: the other takes no such objects; ResourceExhausted, InvalidArgument: refused,
// with the status. Messages hold nothing of the instance.
Status SendInstance(const Destination& to, const std::string& title, std::string_view file,
                    std::chrono::milliseconds timeout);

}  // namespace galen::dicomnet
