#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>

#include "base/child.h"
#include "base/files.h"
#include "media/slide/slide.h"

namespace galen {
namespace {

// A tiled TIFF of RGB pixels (x, y, 7), little-endian, deflated, of one level: what OpenSlide calls
// "generic-tiff".
std::string TiledTiff(uint32_t width, uint32_t height) {
  constexpr uint32_t kTile = 16;
  const uint32_t across = (width + kTile - 1) / kTile, down = (height + kTile - 1) / kTile;
  std::string file("II*\0\0\0\0\0", 8);
  const auto put = [&](uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) file.push_back(static_cast<char>(value >> (8 * i) & 255));
  };
  std::vector<uint32_t> offsets, counts;
  for (uint32_t tile = 0; tile < across * down; ++tile) {
    offsets.push_back(static_cast<uint32_t>(file.size()));
    std::vector<uint8_t> pixels;
    for (uint32_t y = 0; y < kTile; ++y) {
      for (uint32_t x = 0; x < kTile; ++x) {
        pixels.push_back(static_cast<uint8_t>(tile % across * kTile + x));
        pixels.push_back(static_cast<uint8_t>(tile / across * kTile + y));
        pixels.push_back(7);
      }
    }
    std::vector<uint8_t> packed(compressBound(pixels.size()));
    uLongf size = packed.size();
    compress(packed.data(), &size, pixels.data(), pixels.size());
    file.append(packed.begin(), packed.begin() + static_cast<ptrdiff_t>(size));
    counts.push_back(static_cast<uint32_t>(size));
  }
  const uint32_t bits = static_cast<uint32_t>(file.size());
  for (int i = 0; i < 3; ++i) put(8, 2);
  const uint32_t places = static_cast<uint32_t>(file.size());
  for (const uint32_t offset : offsets) put(offset, 4);
  const uint32_t sizes = static_cast<uint32_t>(file.size());
  for (const uint32_t count : counts) put(count, 4);
  const uint32_t directory = static_cast<uint32_t>(file.size());
  const uint32_t n = across * down;
  const uint32_t entries[][4] = {{256, 4, 1, width},  {257, 4, 1, height}, {258, 3, 3, bits},
                                 {259, 3, 1, 8},      {262, 3, 1, 2},      {277, 3, 1, 3},
                                 {284, 3, 1, 1},      {322, 4, 1, kTile},  {323, 4, 1, kTile},
                                 {324, 4, n, places}, {325, 4, n, sizes}};
  put(std::size(entries), 2);
  for (const auto& entry : entries) {
    put(entry[0], 2), put(entry[1], 2), put(entry[2], 4), put(entry[3], 4);
  }
  put(0, 4);
  std::memcpy(file.data() + 4, &directory, 4);
  return file;
}

TEST(OpenSlideFile, ReadsPixelsAndWhiteOutside) {
  const auto folder = TemporaryFolder::Make();
  ASSERT_TRUE(folder.ok());
  const std::string path = folder->path() + "/slide.tif";
  ASSERT_TRUE(WriteFileAtomically(path, TiledTiff(80, 48)).ok());
  EXPECT_EQ(DetectSlideFormat(path), "generic-tiff");
  const auto slide = OpenSlideFile(path);
  ASSERT_TRUE(slide.ok()) << slide.status().message();
  ASSERT_EQ((*slide)->info().levels.size(), 1u);
  EXPECT_EQ((*slide)->info().levels[0].width, 80);
  EXPECT_FALSE((*slide)->info().um_per_pixel.has_value());
  const auto image = (*slide)->Read(0, 70, 40, 20, 16);
  ASSERT_TRUE(image.ok()) << image.status().message();
  for (int64_t y = 0; y < 16; ++y) {
    for (int64_t x = 0; x < 20; ++x) {
      const uint8_t* p = image->row(y) + x * 3;
      const bool inside = x < 10 && y < 8;
      EXPECT_EQ(p[0], inside ? 70 + x : 255) << x << "," << y;
      EXPECT_EQ(p[1], inside ? 40 + y : 255) << x << "," << y;
      EXPECT_EQ(p[2], inside ? 7 : 255);
    }
  }
}

// Entry `index` of TiledTiff's directory.
void SetEntry(std::string* file, size_t index, uint32_t value) {
  uint32_t directory = 0;
  std::memcpy(&directory, file->data() + 4, 4);
  std::memcpy(file->data() + directory + 2 + 12 * index + 8, &value, 4);
}

TEST(OpenSlideFile, RefusesTilesThatWouldEndTheProcess) {
  constexpr size_t kTileWidth = 7, kTileHeight = 8;
  const auto folder = TemporaryFolder::Make();
  ASSERT_TRUE(folder.ok());
  const std::string path = folder->path() + "/slide.tif";
  for (const auto& [width, height] : {std::pair<uint32_t, uint32_t>{1 << 20, 1 << 20},
                                      {1 << 20, 16},
                                      {16, 1 << 20},
                                      {8192, 4096}}) {
    std::string file = TiledTiff(80, 48);
    SetEntry(&file, kTileWidth, width);
    SetEntry(&file, kTileHeight, height);
    ASSERT_TRUE(WriteFileAtomically(path, file).ok());
    const Status status = OpenSlideFile(path).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    for (const std::string& part :
         {path, std::to_string(width) + "x" + std::to_string(height), std::string("8192")}) {
      EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
    }
  }
}

TEST(OpenSlideFile, BadFiles) {
  const auto folder = TemporaryFolder::Make();
  ASSERT_TRUE(folder.ok());
  const std::string path = folder->path() + "/x.svs";
  EXPECT_EQ(OpenSlideFile(path).status().code(), StatusCode::kNotFound);
  ASSERT_TRUE(WriteFileAtomically(path, "no slide").ok());
  EXPECT_EQ(OpenSlideFile(path).status().code(), StatusCode::kInvalidArgument);
  const std::string whole = TiledTiff(80, 48);
  for (size_t cut = 8; cut < whole.size(); cut += 997) {
    ASSERT_TRUE(WriteFileAtomically(path, whole.substr(0, cut)).ok());
    const auto slide = OpenSlideFile(path);
    EXPECT_FALSE(slide.ok() && (*slide)->Read(0, 0, 0, 80, 48).ok()) << cut;
  }
}

}  // namespace
}  // namespace galen
