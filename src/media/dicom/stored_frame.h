// One decoded frame, as the stored values of the file: before any lookup table, window or colour
// conversion.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace galen {

enum class SampleType { kUint8, kInt8, kUint16, kInt16, kUint32, kInt32, kFloat32, kFloat64 };

struct StoredFrame {
  int64_t rows = 0;
  int64_t columns = 0;
  int samples = 1;
  SampleType type = SampleType::kUint8;
  int bits_stored = 8;  // values lie in this many bits (two's complement where the type is signed)
  std::string
      photometric;  // of these values: RGB for JPEG 2000 with a multi-component transformation
  std::vector<uint8_t> data;  // [rows, columns, samples], host byte order

  int64_t values() const { return rows * columns * samples; }

  template <typename T>
  std::span<const T> As() const {
    GALEN_CHECK(data.size() == static_cast<size_t>(values()) * sizeof(T));
    return {reinterpret_cast<const T*>(data.data()), static_cast<size_t>(values())};
  }
};

// Calls fn(span<const T>) with the frame's own type.
template <typename Fn>
auto VisitSamples(const StoredFrame& frame, Fn&& fn) {
  switch (frame.type) {
    case SampleType::kUint8:
      return fn(frame.As<uint8_t>());
    case SampleType::kInt8:
      return fn(frame.As<int8_t>());
    case SampleType::kUint16:
      return fn(frame.As<uint16_t>());
    case SampleType::kInt16:
      return fn(frame.As<int16_t>());
    case SampleType::kUint32:
      return fn(frame.As<uint32_t>());
    case SampleType::kInt32:
      return fn(frame.As<int32_t>());
    case SampleType::kFloat32:
      return fn(frame.As<float>());
    case SampleType::kFloat64:
      break;
  }
  return fn(frame.As<double>());
}

}  // namespace galen
