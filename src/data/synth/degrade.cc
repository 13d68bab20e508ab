#include "data/synth/degrade.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

namespace galen {
namespace {

uint8_t Byte(int value) { return static_cast<uint8_t>(std::clamp(value, 0, 255)); }

// Standard normal numbers times 64. Rows take stretches of it that begin anywhere.
constexpr size_t kNoise = 1 << 16;
constexpr size_t kStretch = 4096;
const std::array<int16_t, kNoise + kStretch>& NoiseTable() {
  static const auto table = [] {
    std::array<int16_t, kNoise + kStretch> t;
    Random random(20250101);
    for (size_t i = 0; i < kNoise; ++i)
      t[i] = static_cast<int16_t>(std::lround(std::clamp(random.Normal(), -4.0, 4.0) * 64));
    std::copy_n(t.begin(), kStretch, t.begin() + kNoise);
    return t;
  }();
  return table;
}

// deviation: in grey levels.
void AddNoise(Image* image, double deviation, Random* random) {
  const auto& table = NoiseTable();
  const auto scale = static_cast<int>(std::lround(deviation * 64));
  const size_t size = image->pixels.size();
  for (size_t begin = 0; begin < size; begin += kStretch) {
    const int16_t* noise = &table[random->Next() % kNoise];
    uint8_t* p = &image->pixels[begin];
    const size_t count = std::min(kStretch, size - begin);
    for (size_t i = 0; i < count; ++i) {
      const int value = p[i] + ((noise[i] * scale + 2048) >> 12);
      p[i] = static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
    }
  }
}

// A kernel (a, 1 - 2a, a) both ways; its deviation is sqrt(2a), at most 0.8 pixels.
void BlurOnce(Image* image, double deviation) {
  const int side = static_cast<int>(std::lround(std::min(0.32, deviation * deviation / 2) * 256));
  const int middle = 256 - 2 * side;
  const int64_t channels = image->channels, stride = image->width * channels;
  if (image->width < 3 || image->height < 3) return;
  const auto size = static_cast<size_t>(stride);
  std::vector<uint8_t> above(size), here(size), below(size);
  const auto across = [&](int64_t y, std::vector<uint8_t>* out) {
    const uint8_t* p = image->row(y);
    uint8_t* o = out->data();
    for (int64_t i = channels; i < stride - channels; ++i)
      o[i] = static_cast<uint8_t>(
          (p[i] * middle + (p[i - channels] + p[i + channels]) * side + 128) >> 8);
    for (int64_t c = 0; c < channels; ++c) {
      o[c] = p[c];
      o[stride - 1 - c] = p[stride - 1 - c];
    }
  };
  across(0, &here);
  above = here;
  for (int64_t y = 0; y < image->height; ++y) {
    across(std::min(y + 1, image->height - 1), &below);
    uint8_t* p = image->row(y);
    for (int64_t i = 0; i < stride; ++i)
      p[i] = static_cast<uint8_t>((here[i] * middle + (above[i] + below[i]) * side + 128) >> 8);
    std::swap(above, here);
    std::swap(here, below);
  }
}

void Blur(Image* image, double deviation) {
  for (double left = deviation * deviation; left > 0.01; left -= 0.64)
    BlurOnce(image, std::sqrt(std::min(left, 0.64)));
}

// From black and white to these levels.
void Levels(Image* image, double black, double white) {
  std::array<uint8_t, 256> map;
  for (size_t i = 0; i < map.size(); ++i) {
    map[i] =
        Byte(static_cast<int>(std::lround(black + (white - black) * static_cast<double>(i) / 255)));
  }
  for (uint8_t& p : image->pixels) p = map[p];
}

// Multiplies by a smooth field: `grid` values per side, between those bilinear.
void Shade(Image* image, int grid, double low, double high, Random* random) {
  std::vector<double> field(static_cast<size_t>(grid * grid));
  for (double& value : field) value = random->Uniform(low, high);
  const auto node = [&](int row, int column) {
    return field[static_cast<size_t>(row * grid + column)];
  };
  std::vector<uint16_t> factor(static_cast<size_t>(image->width));
  for (int64_t y = 0; y < image->height; ++y) {
    const double v = static_cast<double>(y) / static_cast<double>(image->height) * (grid - 1);
    const int row = static_cast<int>(v);
    const double dv = v - row;
    for (int c = 0; c + 1 < grid; ++c) {
      const double a = node(row, c) * (1 - dv) + node(row + 1, c) * dv;
      const double b = node(row, c + 1) * (1 - dv) + node(row + 1, c + 1) * dv;
      const int64_t x0 = image->width * c / (grid - 1), x1 = image->width * (c + 1) / (grid - 1);
      const double step = (b - a) / static_cast<double>(std::max<int64_t>(1, x1 - x0));
      for (int64_t x = x0; x < x1; ++x) {
        factor[static_cast<size_t>(x)] =
            static_cast<uint16_t>((a + step * static_cast<double>(x - x0)) * 256);
      }
    }
    uint8_t* p = image->row(y);
    for (int64_t x = 0; x < image->width; ++x) {
      for (int64_t c = 0; c < image->channels; ++c, ++p) {
        const int value = *p * factor[static_cast<size_t>(x)] >> 8;
        *p = static_cast<uint8_t>(std::min(value, 255));
      }
    }
  }
}

void Specks(Image* image, int64_t count, int level, Random* random) {
  for (int64_t i = 0; i < count; ++i) {
    const int64_t size = random->Int(1, 2);
    const int64_t x0 = random->Int(0, std::max<int64_t>(0, image->width - 3));
    const int64_t y0 = random->Int(0, std::max<int64_t>(0, image->height - 3));
    for (int64_t y = y0; y < std::min(y0 + size, image->height); ++y) {
      for (int64_t x = x0; x < std::min(x0 + size, image->width); ++x)
        std::memset(image->row(y) + x * image->channels, level,
                    static_cast<size_t>(image->channels));
    }
  }
}

// The dark edge of a lid that was not closed.
void EdgeShadow(Image* image, Random* random) {
  const auto reach =
      static_cast<int64_t>(static_cast<double>(image->width) * random->Uniform(0.01, 0.03));
  const double depth = random->Uniform(0.3, 0.75);
  const bool right = random->Chance(0.5);
  for (int64_t i = 0; i < reach; ++i) {
    const double factor = 1 - depth * (1 - static_cast<double>(i) / static_cast<double>(reach));
    const int64_t x = right ? image->width - 1 - i : i;
    for (int64_t y = 0; y < image->height; ++y) {
      uint8_t* p = image->row(y) + x * image->channels;
      for (int64_t c = 0; c < image->channels; ++c) p[c] = static_cast<uint8_t>(p[c] * factor);
    }
  }
}

double Area(const Image& image) {  // in pages of 724 x 1024 pixels
  return static_cast<double>(image.width * image.height) / (724.0 * 1024);
}

}  // namespace

void Scan(Image* image, Random* random) {
  Blur(image, random->Uniform(0.3, 0.85));
  Levels(image, random->Uniform(10, 75), random->Uniform(226, 253));
  Shade(image, 3, 0.93, 1.02, random);
  AddNoise(image, random->Uniform(1.5, 7), random);
  Specks(image, static_cast<int64_t>(random->Uniform(0, 45) * Area(*image)), 90, random);
  if (random->Chance(0.35)) EdgeShadow(image, random);
  if (random->Chance(0.15)) {  // dust on the glass: a pale line from top to bottom
    const int64_t x = random->Int(0, image->width - 1);
    for (int64_t y = 0; y < image->height; ++y) {
      uint8_t* p = image->row(y) + x * image->channels;
      for (int64_t c = 0; c < image->channels; ++c)
        p[c] = static_cast<uint8_t>((p[c] + 3 * 190) / 4);
    }
  }
}

void Fax(Image* image, Random* random) {
  Blur(image, random->Uniform(0.3, 0.7));
  AddNoise(image, random->Uniform(6, 26), random);
  const int threshold = static_cast<int>(random->Int(130, 205));
  for (uint8_t& p : image->pixels) p = p < threshold ? 0 : 255;
  if (image->channels == 3) {  // no colours
    for (size_t i = 0; i + 2 < image->pixels.size(); i += 3)
      image->pixels[i + 1] = image->pixels[i + 2] = image->pixels[i];
  }
  const double pages = Area(*image);
  Specks(image, static_cast<int64_t>(random->Uniform(20, 160) * pages), 0, random);
  const auto stride = static_cast<size_t>(image->width * image->channels);
  const auto rows = static_cast<int64_t>(random->Uniform(0, 7) * pages);
  for (int64_t i = 0; i < rows && image->height > 2; ++i) {
    const int64_t y = random->Int(1, image->height - 1);
    if (random->Chance(0.5)) {
      std::memcpy(image->row(y), image->row(y - 1), stride);  // a row received twice
    } else {
      std::memset(image->row(y), 255, stride);  // a row lost
    }
  }
  if (random->Chance(0.2)) {  // a streak
    const int64_t x = random->Int(0, image->width - 1);
    for (int64_t y = 0; y < image->height; ++y) {
      if (!random->Chance(0.85)) continue;
      std::memset(image->row(y) + x * image->channels, 0, static_cast<size_t>(image->channels));
    }
  }
}

Transform PhotoView(double width, double height, double photo_width, double photo_height,
                    Random* random) {
  // The largest rectangle of the page's shape, then corners drawn inwards, each by itself.
  const double scale = std::min(photo_width / width, photo_height / height);
  const double w = width * scale, h = height * scale;
  const double x0 = (photo_width - w) / 2, y0 = (photo_height - h) / 2;
  const auto inward = [&](double size) { return random->Uniform(0.012, 0.075) * size; };
  const std::array<std::pair<double, double>, 4> corners = {
      std::pair{x0 + inward(w), y0 + inward(h)}, std::pair{x0 + w - inward(w), y0 + inward(h)},
      std::pair{x0 + w - inward(w), y0 + h - inward(h)},
      std::pair{x0 + inward(w), y0 + h - inward(h)}};
  Transform to_unit;
  to_unit.m = {1 / width, 0, 0, 0, 1 / height, 0, 0, 0, 1};
  return Transform::UnitSquareTo(corners).After(to_unit);
}

Image Photo(const Image& page, const Transform& view, int64_t width, int64_t height,
            Random* random) {
  const int64_t channels = page.channels;
  Image photo{width, height, channels, {}};
  photo.pixels.resize(static_cast<size_t>(width * height * channels));
  // The table: one colour with grain.
  std::array<uint8_t, 3> table;
  const double tone = random->Uniform(30, 150);
  const double warmth = channels == 3 ? random->Uniform(0.55, 1) : 1;
  table[0] = Byte(static_cast<int>(tone));
  table[1] = Byte(static_cast<int>(tone * (1 + warmth) / 2));
  table[2] = Byte(static_cast<int>(tone * warmth));
  const Transform back = view.Inverse();
  const auto& m = back.m;
  const double last_x = static_cast<double>(page.width - 1);
  const double last_y = static_cast<double>(page.height - 1);
  for (int64_t y = 0; y < height; ++y) {
    uint8_t* out = photo.row(y);
    const double py = static_cast<double>(y) + 0.5;
    const uint64_t grain_row = Mix64(static_cast<uint64_t>(y / 3) + 77);
    for (int64_t x = 0; x < width; ++x, out += channels) {
      const double px = static_cast<double>(x) + 0.5;
      const double w = 1 / (m[6] * px + m[7] * py + m[8]);
      const double u = (m[0] * px + m[1] * py + m[2]) * w - 0.5;
      const double v = (m[3] * px + m[4] * py + m[5]) * w - 0.5;
      if (u < 0 || v < 0 || u >= last_x || v >= last_y) {
        const int grain = static_cast<int>((grain_row >> (x / 64 % 8 * 8)) & 15) - 8;
        for (int64_t c = 0; c < channels; ++c) out[c] = Byte(table[static_cast<size_t>(c)] + grain);
        continue;
      }
      const auto iu = static_cast<int64_t>(u), iv = static_cast<int64_t>(v);
      const int fu = static_cast<int>((u - static_cast<double>(iu)) * 256);
      const int fv = static_cast<int>((v - static_cast<double>(iv)) * 256);
      const uint8_t* a = page.row(iv) + iu * channels;
      const uint8_t* b = a + page.width * channels;
      for (int64_t c = 0; c < channels; ++c) {
        const int top = a[c] * (256 - fu) + a[c + channels] * fu;
        const int bottom = b[c] * (256 - fu) + b[c + channels] * fu;
        out[c] = static_cast<uint8_t>((top * (256 - fv) + bottom * fv + 32768) >> 16);
      }
    }
  }
  Blur(&photo, random->Uniform(0.35, 1.15));
  Levels(&photo, random->Uniform(8, 60), random->Uniform(205, 250));
  Shade(&photo, 4, random->Uniform(0.62, 0.85), 1.08, random);
  if (random->Chance(0.4)) {  // the shadow of a hand or head: a soft half-plane
    const double angle = random->Uniform(0, 6.2832), depth = random->Uniform(0.15, 0.4);
    const double nx = std::cos(angle), ny = std::sin(angle);
    const double offset = random->Uniform(0.15, 0.4) * static_cast<double>(height);
    const double soft = random->Uniform(0.02, 0.12) * static_cast<double>(height);
    const double cx = static_cast<double>(width) / 2, cy = static_cast<double>(height) / 2;
    for (int64_t y = 0; y < height; ++y) {
      uint8_t* p = photo.row(y);
      for (int64_t x = 0; x < width; ++x) {
        const double d = (static_cast<double>(x) - cx) * nx + (static_cast<double>(y) - cy) * ny;
        const double t = std::clamp((d - offset) / soft, 0.0, 1.0);
        const int factor = static_cast<int>((1 - depth * t) * 256);
        for (int64_t c = 0; c < channels; ++c, ++p) *p = static_cast<uint8_t>(*p * factor >> 8);
      }
    }
  }
  if (channels == 3) {  // the colour of the light
    const std::array<double, 3> cast = {random->Uniform(0.93, 1.02), random->Uniform(0.94, 1),
                                        random->Uniform(0.82, 1.02)};
    std::array<std::array<uint8_t, 256>, 3> map;
    for (size_t c = 0; c < 3; ++c) {
      for (size_t i = 0; i < 256; ++i)
        map[c][i] = Byte(static_cast<int>(static_cast<double>(i) * cast[c]));
    }
    for (size_t i = 0; i + 2 < photo.pixels.size(); i += 3) {
      for (size_t c = 0; c < 3; ++c) photo.pixels[i + c] = map[c][photo.pixels[i + c]];
    }
  }
  AddNoise(&photo, random->Uniform(2, 8), random);
  return photo;
}

}  // namespace galen
