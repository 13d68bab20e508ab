// The files of share/verify, inside the program.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace galen {

struct GoldenFile {
  std::string_view name;  // without its ending
  std::span<const uint8_t> bytes;
};
std::span<const GoldenFile> GoldenFiles();

}  // namespace galen
