// POST /slides: a whole slide to look at; GET /slides/ID/... its overview and tiles; DELETE.
#include <charconv>
#include <optional>
#include <stop_token>
#include <utility>

#include "media/dicom/dicom_file.h"
#include "media/image/jpeg_writer.h"
#include "media/slide/dicom_slide.h"
#include "media/slide/tissue.h"
#include "server/api/write_json.h"
#include "server/documents/run_on_documents.h"
#include "server/endpoints.h"
#include "server/slides/slide_room.h"
#include "server/slides/slide_tiles.h"

namespace galen::server {
namespace {

constexpr int kQuality = 90;                         // of JPEG
constexpr int64_t kMostOverview = int64_t{1} << 28;  // pixels that are read for one
// Of DICOM: a tile is decoded whole, whatever part of it is looked at.
constexpr int64_t kLeastFrameSide = 16, kMostFrameSide = 4096;
constexpr char kDeflated[] = "1.2.840.10008.1.2.1.99";
constexpr char kNoSlide[] = "there is no such slide; it may have been let go of: send it again";

void FailSlide(int status, const std::string& message, Reply* reply) {
  ApiError error;
  error.status = status;
  error.message = message;
  reply->Send(ErrorResponse(Dialect::kOpenAi, error));
}

// DICOM files are opened where they lie; what an archive or a deflated file holds would have to
// stay in memory.
Result<std::unique_ptr<Slide>> OpenUploadedSlide(const MediaFolder& folder) {
  DicomSlideOptions options;
  options.set.max_archive_bytes = options.set.file.max_inflated_bytes = kMostUnpacked;
  options.set.file.max_frame_bytes = kMostFrame;
  options.least_tile_side = kLeastFrameSide;
  options.most_tile_side = kMostFrameSide;
  const std::vector<MediaFile> each = folder.Files(false);
  bool dicom = false;
  for (const MediaFile& file : each) {
    dicom = file.kind == MediaKind::kDicom;
    if (dicom) {
      const Result<DicomFile> opened = DicomFile::Open(file.path, options.set.file);
      if (!opened.ok()) return opened.status().WithContext(file.path);
      if (opened->info().transfer_syntax == kDeflated) {
        return InvalidArgument(file.path +
                               " is deflated as a whole (transfer syntax Deflated Explicit VR "
                               "Little Endian); send the slide in another transfer syntax");
      }
    } else if (file.kind != MediaKind::kAuto || each.size() > 1) {
      return InvalidArgument(file.path +
                             " is no slide: one TIFF file of tiles, or DICOM files of one slide");
    }
  }
  const std::string path = folder.Files(true)[0].path;
  return dicom ? OpenDicomSlide(path, options) : OpenSlideFile(path);
}

Json SlideJson(const std::string& id, const HeldSlide& held, const SlideLimits& limits) {
  const SlideInfo& info = held.slide().info();
  Json levels = Json::array(), warnings = Json::array();
  for (const SlideLevel& level : info.levels) {
    levels.push_back(
        {{"width", level.width}, {"height", level.height}, {"downsample", level.downsample}});
  }
  for (const std::string& warning : info.warnings) warnings.push_back(held.folder().Named(warning));
  return {{"id", id},
          {"format", info.format},
          {"width", info.levels[0].width},
          {"height", info.levels[0].height},
          {"um_per_pixel", info.um_per_pixel ? Json(*info.um_per_pixel) : Json()},
          {"um_source",
           info.um_per_pixel ? Json(info.um_estimated ? "objective" : "file") : Json()},
          {"objective_power", info.objective_power ? Json(*info.objective_power) : Json()},
          {"levels", levels},
          {"tile", kTileSide},
          {"zooms", ZoomsOf(info)},
          {"keep_seconds", limits.keep.count() / 1000},
          {"warnings", warnings}};
}

// *full: it is a slide, but there is no room for it.
Result<Json> Open(const Services& services, const std::string& tenant,
                  std::vector<extract::NamedBytes> files, bool* full) {
  int64_t bytes = 0;
  for (const extract::NamedBytes& file : files) bytes += static_cast<int64_t>(file.bytes.size());
  ASSIGN_OR_RETURN(MediaFolder folder, MediaFolder::Make(std::move(files)));
  Result<std::unique_ptr<Slide>> slide = OpenUploadedSlide(folder);
  if (!slide.ok()) return folder.Named(slide.status());
  if (ZoomsOf((*slide)->info()).empty()) return DataLoss("the slide has no level of its own size");
  const auto held =
      std::make_shared<const HeldSlide>(tenant, std::move(folder), *std::move(slide), bytes);
  const Result<std::string> id = services.slides.Add(held);
  *full = id.status().code() == StatusCode::kResourceExhausted;
  if (!id.ok()) return id.status();
  return SlideJson(*id, *held, services.slides.limits());
}

// What follows the slide's name in a path.
struct SlidePart {
  std::string id;
  bool overview = false;
  int64_t zoom = 0, column = 0, row = 0;
};

bool TakeNumber(std::string_view* text, int64_t* number) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *number);
  if (error != std::errc() || *number < 0) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return true;
}

// "ID/overview", "ID/tiles/ZOOM/COLUMN/ROW".
std::optional<SlidePart> ReadPart(std::string_view text) {
  SlidePart part;
  const size_t slash = text.find('/');
  if (slash == text.npos) return std::nullopt;
  part.id = text.substr(0, slash);
  text.remove_prefix(slash + 1);
  part.overview = text == "overview";
  if (part.overview) return part;
  constexpr std::string_view kTiles = "tiles/";
  if (!text.starts_with(kTiles)) return std::nullopt;
  text.remove_prefix(kTiles.size());
  for (int64_t* number : {&part.zoom, &part.column, &part.row}) {
    if (number != &part.zoom) {
      if (!text.starts_with('/')) return std::nullopt;
      text.remove_prefix(1);
    }
    if (!TakeNumber(&text, number)) return std::nullopt;
  }
  if (!text.empty() || part.zoom > 64) return std::nullopt;
  return part;
}

Result<std::vector<uint8_t>> DrawOverview(const Slide& slide, const std::stop_token& stop) {
  const SlideLevel& level =
      slide.info().levels[static_cast<size_t>(ThumbnailLevel(slide.info()))];
  const int64_t pixels = level.width * level.height;
  if (pixels > kMostOverview) {
    return ResourceExhausted(
        "the slide has no small level to make an overview of: that of at least " +
        std::to_string(kThumbnailSide) + " pixels along a side has " + std::to_string(pixels) +
        " in all");
  }
  ASSIGN_OR_RETURN(const Thumbnail thumbnail, ReadThumbnail(slide, stop));
  return EncodeJpeg(thumbnail.image, kQuality);
}

Result<std::vector<uint8_t>> Draw(const HeldSlide& held, const SlidePart& part,
                                  const std::stop_token& stop) {
  if (part.overview) return held.Overview([&] { return DrawOverview(held.slide(), stop); });
  ASSIGN_OR_RETURN(const Image tile,
                   ReadTile(held.slide(), static_cast<int>(part.zoom), part.column, part.row));
  return EncodeJpeg(tile, kQuality);
}

}  // namespace

void OpenSlideToSee(const Services& services, std::shared_ptr<const HttpRequest> request,
                    std::shared_ptr<Reply> reply) {
  ApiError error;
  const auto upload = std::make_shared<Upload>();
  if (!ReadUpload(services, *request, {}, StudyUse::kRefused, upload.get(), &error))
    return reply->Send(ErrorResponse(Dialect::kOpenAi, error));
  std::string failed;
  Fields fields(upload->fields, "", &failed);
  const Status read = fields.Finish();
  if (!read.ok()) return reply->Send(ErrorResponse(Dialect::kOpenAi, ErrorOfField(read, failed)));
  RunOnDocuments(services, *request, reply, std::stop_source(),
                 [&services, upload, tenant = request->tenant.name, reply] {
                   bool full = false;
                   const Result<Json> opened =
                       Open(services, tenant, std::move(upload->files), &full);
                   if (!opened.ok()) {
                     ApiError fault = ErrorOfMedia(opened.status());
                     if (full) fault.status = 429;
                     return reply->Send(ErrorResponse(Dialect::kOpenAi, fault));
                   }
                   // A client that has left never learns its name.
                   reply->OnGone([&slides = services.slides, tenant,
                                  id = (*opened)["id"].get<std::string>()] {
                     slides.Remove(id, tenant);
                   });
                   HttpResponse response;
                   response.status = 201;
                   response.body = WriteJson(*opened);
                   reply->Send(std::move(response));
                 });
}

void PartOfSlide(const Services& services, std::shared_ptr<const HttpRequest> request,
                 std::shared_ptr<Reply> reply) {
  const auto part = ReadPart(PathParameter("/slides/*", request->path));
  if (!part) return FailSlide(404, "a slide has an overview and tiles", reply.get());
  const auto held = services.slides.Find(part->id, request->tenant.name);
  if (held == nullptr) return FailSlide(404, kNoSlide, reply.get());
  const std::stop_source stop;
  auto draw = [held, part = *part, token = stop.get_token(), reply] {
    Result<std::vector<uint8_t>> jpeg = Draw(*held, part, token);
    if (!jpeg.ok()) {
      ApiError error = ErrorOfMedia(held->folder().Named(jpeg.status()));
      if (jpeg.status().code() == StatusCode::kNotFound) error.status = 404;
      return reply->Send(ErrorResponse(Dialect::kOpenAi, error));
    }
    HttpResponse response;
    response.content_type = "image/jpeg";
    response.body.assign(jpeg->begin(), jpeg->end());
    reply->Send(std::move(response));
  };
  RunOnDocuments(services, *request, reply, stop, std::move(draw));
}

void CloseSlide(const Services& services, std::shared_ptr<const HttpRequest> request,
                std::shared_ptr<Reply> reply) {
  if (!services.slides.Remove(PathParameter("/slides/*", request->path), request->tenant.name))
    return FailSlide(404, kNoSlide, reply.get());
  HttpResponse response;
  response.status = 204;
  response.content_type.clear();
  reply->Send(std::move(response));
}

}  // namespace galen::server
