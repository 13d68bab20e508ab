// Options that the verbs of image-text models share, and a model opened under them.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/dual_encoder_runner.h"
#include "engine/image_stream.h"
#include "image_items.h"
#include "models/dual_encoder/open_dual_encoder.h"
#include "models/dual_encoder/text_input.h"

namespace galen::cli {

struct ImageTextOptions {
  std::string model;
  std::vector<std::string> images;  // files and folders
  std::vector<std::string> dicom;   // files, folders and archives
  bool keep_identity = false;
  std::string preprocessing;  // empty: the model's own
  std::string compute = "bf16";
  std::string activations = "bf16";
  int threads = 0;
  int64_t batch = 8;
  bool json = false;
};

void AddImageTextOptions(CLI::App& verb, ImageTextOptions* options);

struct ImageTextSession {
  const KernelTable* kernels = nullptr;
  std::unique_ptr<ThreadPool> threads;
  LoadedDualEncoder loaded;
  std::unique_ptr<DualEncoderRunner> runner;
  std::optional<ImagePreparer> preparer;  // where images are wanted
  std::optional<TextInput> text;          // where texts are wanted
  Compute compute = Compute::kBf16;
  Framing framing = Framing::kPlain;

  const DualEncoderConfig& config() const { return loaded.model->config(); }
};

// Loads the towers that are wanted; refuses before loading what does not fit into memory, and a
// framing that a head was not trained with.
Result<std::unique_ptr<ImageTextSession>> OpenImageTextSession(const ImageTextOptions& options,
                                                               bool images, bool texts);

// Ids of texts; *notes tells of those that were cut to the tower's length.
Result<std::vector<std::vector<int32_t>>> EncodeTexts(const TextInput& input,
                                                      const std::vector<std::string>& texts,
                                                      std::vector<std::string>* notes);

// What int8 activations cost: embeddings or logits of the same batch in bf16.
Json AgreementJson(const Agreement& agreement, size_t images);
std::string AgreementText(const Json& agreement);

// What was noticed while reading an image: on standard error, a line each.
void ShowImageWarnings(const std::string& source, const std::vector<std::string>& warnings);

// Gets the next files in order, those included that could not be read (status), and the images of
// those that could: at most options.batch of them, possibly none.
using ImageVisitor =
    std::function<Status(std::span<const StreamedImage> items, std::span<const Image> images)>;
// Reads the files on a thread of their own while the visitor runs. Shows a progress bar when a
// person watches.
Status VisitImages(const ImageTextSession& session, const ImageItems& pictures, int64_t batch,
                   const ImageVisitor& visitor);

}  // namespace galen::cli
