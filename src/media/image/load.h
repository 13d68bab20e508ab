#pragma once

#include <cstdint>
#include <cstring>

namespace galen {

// A sample in host order at any address.
template <typename T>
T Load(const uint8_t* in) {
  T value;
  std::memcpy(&value, in, sizeof(value));
  return value;
}

}  // namespace galen
