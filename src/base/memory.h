// The memory of this machine, and bytes for people.
#pragma once

#include <cstdint>
#include <string>

namespace galen {

// Bytes that this process may still take: the system's available memory, or less if a control group
// limits it.
int64_t AvailableMemory();

std::string FormatBytes(int64_t bytes);  // "3.1 GB", "12 MB"

}  // namespace galen
