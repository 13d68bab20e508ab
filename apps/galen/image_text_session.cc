#include "image_text_session.h"

#include <cstdio>
#include <iostream>

#include "engine/memory_plan.h"
#include "progress.h"
#include "session.h"

namespace galen::cli {
namespace {

Result<Framing> FramingOf(const ImageTextOptions& options, const DualEncoderConfig& config,
                          bool classify) {
  const Framing own = classify && config.classifier ? config.classifier->framing : Framing::kPlain;
  if (options.preprocessing.empty()) return own;
  ASSIGN_OR_RETURN(const Framing wanted, FramingFromName(options.preprocessing));
  if (classify && config.classifier && wanted != own) {
    return InvalidArgument("the head of " + options.model + " was trained with '" +
                           std::string(FramingName(own)) + "'; with --preprocessing " +
                           options.preprocessing + " its scores would mean nothing");
  }
  return wanted;
}

}  // namespace

void AddImageTextOptions(CLI::App& verb, ImageTextOptions* o) {
  verb.add_option("model", o->model,
                  "The Hugging Face directory of a SigLIP or CLIP model, or its name in the store")
      ->type_name("MODEL")
      ->required();
  verb.add_option("--image", o->images, "Image files and folders of them (- is standard input)")
      ->type_name("PATH");
  verb.add_option("--dicom", o->dicom,
                  "DICOM files, folders and archives: each picture is a row, whoever it is of")
      ->type_name("PATH");
  verb.add_flag(
      "--keep-identity", o->keep_identity,
      "Name the files inside of DICOM folders, and say who and when they are of (--json)");
  verb.add_option("--preprocessing", o->preprocessing,
                  "What comes before the processor's own steps: plain, pad_to_square, center_crop")
      ->check(CLI::IsMember({"plain", "pad_to_square", "center_crop"}));
  verb.add_option("--compute", o->compute, "Arithmetic: bf16, or fp32 (the reference mode)")
      ->check(CLI::IsMember({"bf16", "fp32"}))
      ->capture_default_str();
  verb.add_option("--activations", o->activations, "bf16, or int8; what that costs is measured")
      ->check(CLI::IsMember({"bf16", "int8"}))
      ->capture_default_str();
  verb.add_option("--batch", o->batch, "Images that the tower sees at a time")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  verb.add_option("--threads", o->threads, "Threads that compute (0: all processors)")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

Result<std::unique_ptr<ImageTextSession>> OpenImageTextSession(const ImageTextOptions& options,
                                                               bool images, bool texts) {
  auto session = std::make_unique<ImageTextSession>();
  ASSIGN_OR_RETURN(const DualEncoderFiles files, ReadDualEncoder(options.model));
  const std::string& directory = files.checkpoint->directory();
  // What can be refused is refused before the weights are read.
  if (images && files.config.vision) {
    ASSIGN_OR_RETURN(session->framing, FramingOf(options, files.config, !texts));
    ASSIGN_OR_RETURN(const ImageProcessorConfig processor,
                     ReadImageProcessor(directory, files.config.family));
    const Result<ImagePreparer> preparer =
        ImagePreparer::Create(processor, *files.config.vision, session->framing);
    if (!preparer.ok()) return preparer.status().WithContext(directory);
    session->preparer = *preparer;
  }
  if (texts && files.config.text) {
    ASSIGN_OR_RETURN(session->text,
                     TextInput::Open(directory, files.config.family, *files.config.text));
  }
  if (options.activations == "int8") {
    if (options.compute == "fp32") {
      return InvalidArgument("--activations int8 and --compute fp32 exclude each other");
    }
    session->compute = Compute::kInt8;
  } else {
    session->compute = options.compute == "fp32" ? Compute::kFp32 : Compute::kBf16;
  }
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  session->kernels = &KernelsFor(isa);
  session->threads = std::make_unique<ThreadPool>(ThreadsOf(options.threads));
  DualEncoderRunnerOptions run;
  run.compute = session->compute;
  run.batch_invariant = true;  // no row may depend on --batch or on where a resumed run begins
  run.max_images = options.batch;
  OpenDualEncoderOptions open;
  open.vision = images;
  open.text = texts;
  open.compute = session->compute;
  open.admit = [&](const DualEncoder& model, const WeightPlan& weights) {
    MemoryPlan plan;
    plan.weights = weights.allocated();
    plan.activations =
        DualEncoderRunner::ArenaBytes(model, *session->kernels, session->threads->size(), run);
    return CheckMemory(plan, AvailableMemory()).WithContext(options.model);
  };
  ASSIGN_OR_RETURN(session->loaded,
                   OpenDualEncoder(options.model, open, *session->kernels, *session->threads));
  ASSIGN_OR_RETURN(
      session->runner,
      DualEncoderRunner::Create(*session->loaded.model, *session->kernels, *session->threads, run));
  return session;
}

Result<std::vector<std::vector<int32_t>>> EncodeTexts(const TextInput& input,
                                                      const std::vector<std::string>& texts,
                                                      std::vector<std::string>* notes) {
  std::vector<std::vector<int32_t>> rows;
  for (const std::string& text : texts) {
    bool truncated = false;
    ASSIGN_OR_RETURN(std::vector<int32_t> ids, input.EncodePadded(text, &truncated));
    if (truncated) {
      notes->push_back("'" + text.substr(0, 60) + "...' has more than " +
                       std::to_string(input.max_length()) + " tokens; its end is not seen");
    }
    rows.push_back(std::move(ids));
  }
  return rows;
}

Json AgreementJson(const Agreement& agreement, size_t images) {
  return {{"against", "bf16"},
          {"images", images},
          {"cosine_min", agreement.least},
          {"cosine_mean", agreement.mean}};
}

std::string AgreementText(const Json& agreement) {
  char text[160];
  std::snprintf(text, sizeof(text),
                "int8 activations: cosine to bf16 at least %.6f, %.6f on average, over the first "
                "%d images",
                agreement["cosine_min"].get<double>(), agreement["cosine_mean"].get<double>(),
                agreement["images"].get<int>());
  return text;
}

void ShowImageWarnings(const std::string& source, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) std::cerr << source << ": " << warning << "\n";
}

Status VisitImages(const ImageTextSession& session, const ImageItems& pictures, int64_t batch,
                   const ImageVisitor& visitor) {
  const auto prepare = [&](int64_t i, std::vector<std::string>* warnings) -> Result<Image> {
    ASSIGN_OR_RETURN(const Image image, pictures.Read(i, warnings));
    Result<Image> fitted = session.preparer->Fit(image);
    if (!fitted.ok()) return fitted.status().WithContext(pictures.Source(i));
    return fitted;
  };
  ImageStream stream(pictures.count(), 2 * batch, prepare);
  Progress progress("images", pictures.count());
  std::vector<StreamedImage> items;
  std::vector<Image> images;
  const auto flush = [&]() -> Status {
    if (items.empty()) return OkStatus();
    RETURN_IF_ERROR(visitor(items, images));
    progress.Add(static_cast<int64_t>(items.size()));
    items.clear();
    images.clear();
    return OkStatus();
  };
  while (std::optional<StreamedImage> item = stream.Next()) {
    if (item->status.ok()) images.push_back(std::move(item->image));
    items.push_back(std::move(*item));
    if (static_cast<int64_t>(images.size()) == batch) RETURN_IF_ERROR(flush());
  }
  return flush();
}

}  // namespace galen::cli
