// galen embed: vectors of images or texts.
#include <cstdio>
#include <iostream>

#include "commands.h"
#include "formats/npy.h"
#include "image_text_session.h"
#include "session.h"

namespace galen::cli {
namespace {

struct EmbedOptions : ImageTextOptions {
  std::vector<std::string> texts;
  std::string out;
  bool raw = false;
};

struct Embedded {
  std::vector<std::string> sources;                // of the rows
  std::vector<std::vector<std::string>> warnings;  // of the rows
  std::vector<Json> identity;                      // of the rows; null: not asked for
  std::vector<float> rows;
  Json failed = Json::array();
  Json more = Json::object();
  std::vector<std::string> notes;
};

Status EmbedImageFiles(const EmbedOptions& o, const ImageTextSession& session, Embedded* result) {
  if (!session.loaded.model->can_embed_images()) {
    return NotFound(o.model +
                    ": vision_model.head is missing; without its pooling head a SigLIP "
                    "tower has no embeddings");
  }
  ASSIGN_OR_RETURN(const ImageItems pictures,
                   ImageItems::Open(o.images, o.dicom, o.keep_identity, &result->notes));
  const auto visit = [&](std::span<const StreamedImage> items,
                         std::span<const Image> images) -> Status {
    for (const StreamedImage& item : items) {
      const std::string& path = pictures.Source(item.index);
      if (!o.json) ShowImageWarnings(path, item.warnings);
      if (item.status.ok()) {
        result->sources.push_back(path);
        result->warnings.push_back(item.warnings);
        Json& identity = result->identity.emplace_back();
        for (const auto& [name, text] : pictures.Identity(item.index)) identity[name] = text;
      } else {
        result->failed.push_back(
            {{"source", path}, {"error", item.status.message()}, {"warnings", item.warnings}});
      }
    }
    if (images.empty()) return OkStatus();
    DualEncoderRunner& runner = *session.runner;
    runner.set_compute(session.compute);
    const std::vector<float> rows = runner.EmbedImages(*session.preparer, images);
    result->rows.insert(result->rows.end(), rows.begin(), rows.end());
    if (session.compute == Compute::kInt8 && !result->more.contains("int8")) {
      runner.set_compute(Compute::kBf16);
      const std::vector<float> exact = runner.EmbedImages(*session.preparer, images);
      result->more["int8"] =
          AgreementJson(CompareRows(rows, exact, session.config().embedding_size), images.size());
    }
    return OkStatus();
  };
  return VisitImages(session, pictures, o.batch, visit);
}

void Print(const EmbedOptions& o, const ImageTextSession& session, const Embedded& result) {
  const int64_t cols = session.config().embedding_size;
  if (o.json) {
    Json rows = Json::array();
    for (size_t i = 0; i < result.sources.size(); ++i) {
      Json row = {{"source", result.sources[i]}, {"warnings", result.warnings[i]}};
      if (!result.identity[i].is_null()) row["identity"] = result.identity[i];
      const auto begin = result.rows.begin() + static_cast<std::ptrdiff_t>(i) * cols;
      if (o.out.empty()) row["embedding"] = std::vector<float>(begin, begin + cols);
      rows.push_back(std::move(row));
    }
    Json json = {{"model", session.config().name}, {"size", cols},
                 {"normalized", !o.raw},           {"rows", rows},
                 {"failed", result.failed},        {"notes", result.notes}};
    if (!o.out.empty()) json["out"] = o.out;
    json.update(result.more);
    std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
    return;
  }
  for (const std::string& note : result.notes) std::cerr << "note: " << note << "\n";
  if (result.more.contains("int8")) std::cerr << AgreementText(result.more["int8"]) << "\n";
  for (const Json& failed : result.failed) {
    std::cerr << "failed: " << failed["error"].get<std::string>() << "\n";
  }
  for (size_t i = 0; i < result.sources.size(); ++i) {
    std::cout << result.sources[i];
    for (int64_t c = 0; o.out.empty() && c < cols; ++c) {
      char value[32];
      std::snprintf(
          value, sizeof(value), "%s%.9g", c == 0 ? "\t" : " ",
          static_cast<double>(result.rows[i * static_cast<size_t>(cols) + static_cast<size_t>(c)]));
      std::cout << value;
    }
    std::cout << "\n";
  }
}

Status Embed(EmbedOptions o) {
  ASSIGN_OR_RETURN(o.model, PathOfModel(o.model));
  const bool images = !o.images.empty() || !o.dicom.empty();
  ASSIGN_OR_RETURN(const auto session, OpenImageTextSession(o, images, !images));
  Embedded result;
  if (images) {
    RETURN_IF_ERROR(EmbedImageFiles(o, *session, &result));
  } else {
    ASSIGN_OR_RETURN(const auto ids, EncodeTexts(*session->text, o.texts, &result.notes));
    result.rows = session->runner->EmbedTexts(ids);
    result.sources = o.texts;
    result.warnings.resize(o.texts.size());
    result.identity.resize(o.texts.size());
  }
  const int64_t cols = session->config().embedding_size;
  if (!o.raw) NormalizeEmbeddings(result.rows, cols);
  const auto rows = static_cast<int64_t>(result.sources.size());
  if (!o.out.empty() && rows > 0) RETURN_IF_ERROR(WriteNpy(o.out, result.rows, rows, cols));
  Print(o, *session, result);
  if (!result.failed.empty()) {
    return DataLoss(std::to_string(result.failed.size()) + " of " +
                    std::to_string(rows + static_cast<int64_t>(result.failed.size())) +
                    " images could not be read; they have no row");
  }
  return OkStatus();
}

}  // namespace

void AddEmbed(CLI::App& app, Action* action) {
  auto o = std::make_shared<EmbedOptions>();
  CLI::App* verb = app.add_subcommand("embed", "Vectors of images or of texts");
  AddImageTextOptions(*verb, o.get());
  verb->add_option("--text", o->texts, "Texts");
  verb->add_option("--out", o->out, "Write a .npy file, one row an image or text, in their order")
      ->type_name("FILE");
  verb->add_flag("--raw", o->raw, "Vectors as the tower gives them, not of length 1");
  verb->add_flag("--json", o->json, "One JSON object");
  verb->callback([o, action] {
    if ((o->images.empty() && o->dicom.empty()) == o->texts.empty()) {
      throw CLI::ValidationError(
          "name either images with --image and --dicom, or texts with --text");
    }
    if (!o->out.empty() && !o->out.ends_with(".npy")) {
      throw CLI::ValidationError("--out " + o->out, "embeddings are written as a .npy file");
    }
    *action = [o] { return Embed(*o); };
  });
}

}  // namespace galen::cli
