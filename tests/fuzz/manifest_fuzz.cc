// Manifests of stored models, of Ollama's registry, the hub's list of files, and model cards.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "store/hub.h"
#include "store/manifest.h"
#include "store/model_card.h"
#include "store/model_name.h"

using namespace galen;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto model = ParseStoredModel(text, "x"); model.ok()) {
    GALEN_CHECK(!model->files.empty() && model->bytes() >= 0);
    for (const StoredFile& file : model->files) GALEN_CHECK(IsSafeRelativePath(file.path));
    GALEN_CHECK(ParseStoredModel(WriteStoredModel(*model), "x").ok());
  }
  if (const auto manifest = ParseOllamaManifest(text, "x"); manifest.ok()) {
    GALEN_CHECK(manifest->bytes() >= 0);
    for (const OllamaLayer& layer : manifest->layers) GALEN_CHECK(layer.sha256.size() == 64);
  }
  if (const auto model = ParseHubModel(text, "x"); model.ok()) {
    for (const RepoFile& file : model->files)
      GALEN_CHECK(IsSafeRelativePath(file.path) && file.size >= -1);
    if (const auto chosen = SelectFiles(model->files, "", "x"); chosen.ok())
      GALEN_CHECK(!chosen->files.empty());
  }
  for (const char c : LicenseOfCard(text).text()) GALEN_CHECK(c >= 0x20 && c < 0x7f);
  if (const auto name = ParseHubName(text); name.ok())
    GALEN_CHECK(name->text().find("..") == std::string::npos ||
                name->text().find("/..") == std::string::npos);
  if (const auto name = ParseOllamaName(text); name.ok())
    GALEN_CHECK(IsSafeRelativePath(name->space + "/" + name->model + "/" + name->tag));
  return 0;
}
