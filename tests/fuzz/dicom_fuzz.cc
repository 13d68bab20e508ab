// DICOM: the bytes as a file, every frame of it decoded and rendered within small limits.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "media/dicom/dicom_file.h"

using namespace galen;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  DicomOptions options;
  options.max_frame_bytes = 1 << 20;
  options.max_inflated_bytes = 1 << 22;
  options.max_elements = 1 << 14;
  const Result<DicomFile> file = DicomFile::Parse(std::vector<uint8_t>(data, data + size), options);
  if (!file.ok()) {
    GALEN_CHECK(!file.status().message().empty());
    return 0;
  }
  GALEN_CHECK(file->frames() >= 0 && file->info().identity.kept == nullptr);
  if (const Result<std::vector<uint8_t>> document = file->ReadDocument(); document.ok())
    GALEN_CHECK(document->size() <= size);
  if (const Result<DicomTiling> tiling = file->Tiling(); tiling.ok()) {
    for (const int64_t i : {int64_t{0}, file->frames() - 1}) {
      const DicomTile tile = tiling->Tile(i);
      GALEN_CHECK(tile.column >= 0 && tile.row >= 0 && tile.column < tiling->total_columns &&
                  tile.row < tiling->total_rows);
    }
  }
  for (int64_t i = 0; i < std::min<int64_t>(file->frames(), 3); ++i) {
    (void)file->Geometry(i);
    const Result<StoredFrame> frame = file->ReadFrame(i);
    if (!frame.ok()) continue;
    GALEN_CHECK(static_cast<int64_t>(frame->data.size()) == file->info().format.frame_bytes());
    RenderReport report;
    const Result<Image> image = file->Render(i, {}, &report);
    if (image.ok()) {
      GALEN_CHECK(static_cast<int64_t>(image->pixels.size()) ==
                  image->width * image->height * image->channels);
    }
    (void)file->ReadPhysical(i);
  }
  return 0;
}
