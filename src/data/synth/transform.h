// Projective maps of the plane: where a point of the page lands in the picture.
#pragma once

#include <array>
#include <utility>

namespace galen {

class Transform {
 public:
  // x' = (m0 x + m1 y + m2) / (m6 x + m7 y + m8), y' alike with m3 m4 m5.
  std::array<double, 9> m = {1, 0, 0, 0, 1, 0, 0, 0, 1};

  std::pair<double, double> Map(double x, double y) const {
    const double w = m[6] * x + m[7] * y + m[8];
    return {(m[0] * x + m[1] * y + m[2]) / w, (m[3] * x + m[4] * y + m[5]) / w};
  }
  // This after `first`.
  Transform After(const Transform& first) const {
    Transform product;
    for (size_t r = 0; r < 3; ++r) {
      for (size_t c = 0; c < 3; ++c) {
        double sum = 0;
        for (size_t k = 0; k < 3; ++k) sum += m[r * 3 + k] * first.m[k * 3 + c];
        product.m[r * 3 + c] = sum;
      }
    }
    return product;
  }
  // The determinant must not be 0.
  Transform Inverse() const {
    const double det = m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) +
                       m[2] * (m[3] * m[7] - m[4] * m[6]);
    Transform i;
    i.m = {(m[4] * m[8] - m[5] * m[7]) / det, (m[2] * m[7] - m[1] * m[8]) / det,
           (m[1] * m[5] - m[2] * m[4]) / det, (m[5] * m[6] - m[3] * m[8]) / det,
           (m[0] * m[8] - m[2] * m[6]) / det, (m[2] * m[3] - m[0] * m[5]) / det,
           (m[3] * m[7] - m[4] * m[6]) / det, (m[1] * m[6] - m[0] * m[7]) / det,
           (m[0] * m[4] - m[1] * m[3]) / det};
    return i;
  }
  static Transform Scale(double factor) {
    Transform t;
    t.m = {factor, 0, 0, 0, factor, 0, 0, 0, 1};
    return t;
  }
  // The unit square's corners (0,0), (1,0), (1,1), (0,1) to four points, no three on a line
  // (Heckbert, "Fundamentals of Texture Mapping and Image Warping", 1989, section 2.2.3).
  static Transform UnitSquareTo(const std::array<std::pair<double, double>, 4>& p) {
    const double dx1 = p[1].first - p[2].first, dx2 = p[3].first - p[2].first;
    const double dy1 = p[1].second - p[2].second, dy2 = p[3].second - p[2].second;
    const double sx = p[0].first - p[1].first + p[2].first - p[3].first;
    const double sy = p[0].second - p[1].second + p[2].second - p[3].second;
    const double det = dx1 * dy2 - dx2 * dy1;
    const double g = (sx * dy2 - dx2 * sy) / det, h = (dx1 * sy - sx * dy1) / det;
    Transform t;
    t.m = {p[1].first - p[0].first + g * p[1].first,
           p[3].first - p[0].first + h * p[3].first,
           p[0].first,
           p[1].second - p[0].second + g * p[1].second,
           p[3].second - p[0].second + h * p[3].second,
           p[0].second,
           g,
           h,
           1};
    return t;
  }
};

}  // namespace galen
