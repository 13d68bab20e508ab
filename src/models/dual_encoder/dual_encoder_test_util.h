// The fixtures of tests/parity/dual_encoders, for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "media/image/image.h"
#include "models/dual_encoder/open_dual_encoder.h"
#include "models/tiny_models_test.h"

namespace galen {

inline std::string Fixture(const std::string& name) {
  return std::string(GALEN_SOURCE_DIR) + "/tests/parity/dual_encoders/" + name;
}

inline Json ReadFixture(const std::string& name) {
  auto text = ReadFile(Fixture(name));
  EXPECT_TRUE(text.ok()) << text.status().message();
  auto json = ParseJson(text.ok() ? *text : "{}");
  EXPECT_TRUE(json.ok()) << json.status().message();
  return json.ok() ? *json : Json::object();
}

// The picture that make_dual_encoders.py draws, draw().
inline Image PatternImage(int64_t width, int64_t height) {
  Image image{width, height, 3, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        const int64_t value = x * 7 + y * 13 + c * 29 + (x * y / 8) * (c + 1);
        image.pixels.push_back(static_cast<uint8_t>(value & 255));
      }
    }
  }
  return image;
}

}  // namespace galen
