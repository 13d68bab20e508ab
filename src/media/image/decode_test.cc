// Files of tests/data/images against the pixels that Pillow read from them (make.py there).
#include "media/image/decode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/files.h"
#include "media/image/png_writer.h"

namespace galen {
namespace {

const std::string kFolder = GALEN_SOURCE_DIR "/tests/data/images/";

std::vector<uint8_t> ReadBytes(const std::string& name) {
  const std::string text = ReadFile(kFolder + name).value();
  return {text.begin(), text.end()};
}

Image ReadExpected(const std::string& name) { return ReadImage(kFolder + name).value(); }

void ExpectSame(const Image& got, const Image& want) {
  EXPECT_EQ(got.width, want.width);
  EXPECT_EQ(got.height, want.height);
  EXPECT_EQ(got.channels, 3);
  EXPECT_TRUE(got.pixels == want.pixels);
}

// Images with a NAME.png beside them.
std::vector<std::string> Fixtures() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    const std::string name = entry.path().filename();
    if (std::filesystem::exists(kFolder + name + ".png")) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

TEST(DecodeTest, EqualsPillow) {
  const auto names = Fixtures();
  ASSERT_GE(names.size(), 30u);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const auto image = DecodeImage(ReadBytes(name));
    ASSERT_TRUE(image.ok()) << image.status().message();
    ExpectSame(*image, ReadExpected(name + ".png"));
  }
}

TEST(DecodeTest, FurtherFrames) {
  for (const std::string name :
       {"tiff_pages.tif", "gif_d2_4.gif", "gif_d3_None.gif", "webp_animated.webp"}) {
    SCOPED_TRACE(name);
    const auto bytes = ReadBytes(name);
    EXPECT_EQ(ProbeImage(bytes)->frames, 4);
    DecodeOptions options;
    for (; options.frame < 4; ++options.frame) {
      const auto image = DecodeImage(bytes, options);
      ASSERT_TRUE(image.ok()) << image.status().message();
      ExpectSame(*image, ReadExpected(name + "." + std::to_string(options.frame) + ".png"));
    }
    const auto missing = DecodeImage(bytes, options);
    EXPECT_EQ(missing.status().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(missing.status().message().find("frame 4 of an image with 4"), std::string::npos);
    options.frame = -1;
    EXPECT_EQ(DecodeImage(bytes, options).status().code(), StatusCode::kInvalidArgument);
  }
}

TEST(DecodeTest, ProbeReadsHeadersOnly) {
  for (const std::string& name : Fixtures()) {
    SCOPED_TRACE(name);
    const auto bytes = ReadBytes(name);
    const auto info = ProbeImage(bytes);
    ASSERT_TRUE(info.ok());
    const Image image = DecodeImage(bytes).value();
    EXPECT_EQ(info->width * info->height, image.width * image.height);
  }
  // The first 60 bytes of a PNG hold its header and not one row.
  auto bytes = ReadBytes("png_RGBA_5x4.png");
  bytes.resize(60);
  EXPECT_EQ(ProbeImage(bytes)->width, 5);
  EXPECT_FALSE(DecodeImage(bytes).ok());
}

TEST(DecodeTest, WarnsOfWhatIsLost) {
  const auto warnings_of = [](const std::string& name) {
    std::vector<std::string> warnings;
    EXPECT_TRUE(ReadImage(kFolder + name, {}, &warnings).ok());
    return warnings.empty() ? "" : warnings[0];
  };
  EXPECT_TRUE(warnings_of("tf_minisblack_u2_be_tiled.tif").starts_with("grey_clipped: "));
  EXPECT_NE(warnings_of("tf_minisblack_u2_be_tiled.tif").find("tests/data/images"),
            std::string::npos);
  EXPECT_TRUE(warnings_of("png_RGBA_5x4.png").starts_with("alpha_dropped: "));
  EXPECT_EQ(warnings_of("png_1_17x31.png"), "");
}

TEST(DecodeTest, EveryTruncationIsAnErrorOrAnImage) {
  for (const std::string& name : Fixtures()) {
    SCOPED_TRACE(name);
    const auto bytes = ReadBytes(name);
    const size_t step = std::max<size_t>(1, bytes.size() / 200);
    for (size_t size = 0; size < bytes.size(); size += step) {
      // A copy of exactly this size, so that a sanitizer sees a read beyond it.
      const std::vector<uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<int64_t>(size));
      const auto image = DecodeImage(cut);
      if (image.ok()) {
        EXPECT_EQ(image->pixels.size(), image->width * image->height * 3u);
        EXPECT_GE(size, bytes.size() / 2);
      } else {
        EXPECT_FALSE(image.status().message().empty());
      }
    }
  }
}

TEST(DecodeTest, ForeignAndEmptyBytes) {
  const auto message_of = [](std::vector<uint8_t> bytes) {
    const auto image = DecodeImage(bytes);
    EXPECT_EQ(image.status().code(), StatusCode::kDataLoss);
    EXPECT_FALSE(ProbeImage(bytes).ok());
    return image.status().message();
  };
  EXPECT_NE(message_of({}).find("empty"), std::string::npos);
  EXPECT_NE(message_of({'%', 'P', 'D', 'F', '-', '1'}).find("not an image"), std::string::npos);
}

void PutBigEndian(std::vector<uint8_t>* bytes, size_t at, uint32_t value) {
  for (int i = 0; i < 4; ++i) (*bytes)[at + i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

uint32_t Crc(const uint8_t* data, size_t size) {
  uint32_t crc = ~0u;
  for (size_t i = 0; i < size; ++i) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

// A PNG header that claims this size.
std::vector<uint8_t> PngOfSize(uint32_t width, uint32_t height) {
  auto bytes = ReadBytes("png_RGBA_5x4.png");
  PutBigEndian(&bytes, 16, width);
  PutBigEndian(&bytes, 20, height);
  PutBigEndian(&bytes, 29, Crc(bytes.data() + 12, 17));
  return bytes;
}

TEST(DecodeTest, HugeSizesAreRefusedBeforeAllocation) {
  const auto huge = DecodeImage(PngOfSize(100'000, 100'000));
  EXPECT_EQ(huge.status().code(), StatusCode::kResourceExhausted);
  EXPECT_NE(huge.status().message().find("100000 x 100000"), std::string::npos);
  EXPECT_EQ(DecodeImage(PngOfSize(0x7fffffff, 0x7fffffff)).status().code(),
            StatusCode::kResourceExhausted);
  EXPECT_FALSE(DecodeImage(PngOfSize(0, 4)).ok());
  EXPECT_FALSE(ProbeImage(PngOfSize(0, 4)).ok());

  auto bmp = ReadBytes("bmp_os2.bmp");
  std::memset(bmp.data() + 18, 0xff, 4);
  EXPECT_EQ(DecodeImage(bmp).status().code(), StatusCode::kResourceExhausted);
  std::memset(bmp.data() + 18, 0, 4);
  EXPECT_EQ(DecodeImage(bmp).status().code(), StatusCode::kDataLoss);
  auto gif = ReadBytes("gif_P_17x31.gif");
  std::memset(gif.data() + 6, 0xff, 4);
  EXPECT_EQ(DecodeImage(gif).status().code(), StatusCode::kResourceExhausted);
}

// Little-endian; the tags are LONGs of one value each.
void AddDirectory(std::vector<uint8_t>* tiff, std::vector<std::pair<uint16_t, uint32_t>> tags,
                  uint32_t next) {
  const auto put = [&](uint32_t value, int size) {
    for (int i = 0; i < size; ++i) tiff->push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  put(static_cast<uint32_t>(tags.size()), 2);
  for (const auto& [tag, value] : tags) {
    put(tag, 2), put(4, 2), put(1, 4), put(value, 4);
  }
  put(next, 4);
}

TEST(DecodeTest, BrokenPageOfTiff) {
  std::vector<uint8_t> tiff = {'I', 'I', '*', 0, 8, 0, 0, 0};
  constexpr uint32_t kSecond = 8 + 2 + 7 * 12 + 4;
  AddDirectory(&tiff, {{256, 4}, {257, 1}, {258, 8}, {262, 1}, {273, 0}, {278, 1}, {279, 4}},
               kSecond);
  AddDirectory(&tiff, {{256, 4}}, 0);  // no height
  EXPECT_EQ(ProbeImage(tiff)->frames, 2);
  EXPECT_EQ(DecodeImage(tiff)->pixels,
            (std::vector<uint8_t>{'I', 'I', 'I', 'I', 'I', 'I', '*', '*', '*', 0, 0, 0}));
  DecodeOptions options;
  options.frame = 1;
  EXPECT_EQ(DecodeImage(tiff, options).status().code(), StatusCode::kDataLoss);
  options.frame = 2;
  EXPECT_EQ(DecodeImage(tiff, options).status().code(), StatusCode::kInvalidArgument);
  options.frame = int64_t{1} << 40;
  EXPECT_EQ(DecodeImage(tiff, options).status().code(), StatusCode::kInvalidArgument);
}

// A palette beyond the end: libtiff would take the indices for greys.
TEST(DecodeTest, TiffWithoutItsPalette) {
  auto bytes = ReadBytes("tiff_P_tiff_lzw.tif");
  bytes.resize(1200);
  const auto image = DecodeImage(bytes);
  EXPECT_EQ(image.status().code(), StatusCode::kDataLoss);
  EXPECT_NE(image.status().message().find("palette"), std::string::npos);
}

// A text of a gigabyte in a file of a few bytes is not allocated.
TEST(DecodeTest, PngChunkBeyondTheEnd) {
  auto bytes = ReadBytes("png_profile8.png");
  PutBigEndian(&bytes, 33, 0x41000000);
  const auto image = DecodeImage(bytes);
  EXPECT_EQ(image.status().message(), "PNG: truncated before the pixels");
}

TEST(DecodeTest, LimitsAreOptions) {
  const auto bytes = ReadBytes("jpeg_L_75_17.jpg");
  DecodeOptions options;
  options.max_pixels = 17 * 31;
  EXPECT_TRUE(DecodeImage(bytes, options).ok());
  --options.max_pixels;
  EXPECT_EQ(DecodeImage(bytes, options).status().code(), StatusCode::kResourceExhausted);
  options = {};
  options.max_bytes = bytes.size() - 1;
  EXPECT_EQ(DecodeImage(bytes, options).status().code(), StatusCode::kResourceExhausted);
  EXPECT_FALSE(ReadImage(kFolder + "jpeg_L_75_17.jpg", options).ok());
}

TEST(DecodeTest, DamagedPixelsOfPngAreNotShown) {
  auto bytes = ReadBytes("png_LA_17x31.png");
  bytes[bytes.size() - 20] ^= 1;  // within the last pixels or their checksum
  EXPECT_EQ(DecodeImage(bytes).status().code(), StatusCode::kDataLoss);
}

TEST(ReadImageTest, NamesThePath) {
  const auto missing = ReadImage("/nowhere/x.png");
  EXPECT_NE(missing.status().message().find("/nowhere/x.png"), std::string::npos);
  const auto foreign = ReadImage(kFolder + "make.py");
  EXPECT_NE(foreign.status().message().find("make.py"), std::string::npos);
}

TEST(PngWriterTest, RoundTrip) {
  Image image{3, 2, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9, 255, 254, 253, 0, 0, 0, 128, 127, 126}};
  ExpectSame(DecodeImage(EncodePng(image).value()).value(), image);
  const Image grey{2, 2, 1, {0, 7, 200, 255}};
  const Image read = DecodeImage(EncodePng(grey).value()).value();
  EXPECT_EQ(read.pixels, (std::vector<uint8_t>{0, 0, 0, 7, 7, 7, 200, 200, 200, 255, 255, 255}));
  EXPECT_FALSE(EncodePng(Image{}).ok());
  EXPECT_FALSE(WritePng("/nowhere/x.png", image).ok());
}

TEST(DataUrlTest, Base64AndPercent) {
  const auto text = [](std::string_view url) {
    const auto bytes = DecodeDataUrl(url);
    return bytes.ok() ? std::string(bytes->begin(), bytes->end())
                      : "error: " + bytes.status().message();
  };
  EXPECT_EQ(text("data:text/plain;base64,Z2FsZW4="), "galen");
  EXPECT_EQ(text("DATA:;BASE64,Z2Fs\nZW4"), "galen");
  EXPECT_EQ(text("data:image/png;base64,-_-_"), text("data:image/png;base64,+/+/"));
  EXPECT_EQ(text("data:,a%20b%2C"), "a b,");
  EXPECT_EQ(text("data:;base64,"), "");
  for (const char* bad : {"http://x/y", "data:image/png;base64", "data:;base64,Z",
                          "data:;base64,Z2=F", "data:;base64,Z2*s", "data:,%4", "data:,%zz", ""}) {
    EXPECT_FALSE(DecodeDataUrl(bad).ok()) << bad;
  }
  EXPECT_EQ(DecodeDataUrl("data:;base64,Z2FsZW4=", 4).status().code(),
            StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace galen
