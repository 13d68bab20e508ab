// What holds for DCMTK's network in the whole process.
#pragma once

#include <mutex>

namespace galen::dicomnet {

// Once: its log, which may quote data sets, is off; no names are looked up for addresses.
void PrepareToolkit();

// DCMTK takes a socket that is connected already from a global variable, and sets tables up with
// each network.
std::mutex& HandleMutex();

}  // namespace galen::dicomnet
