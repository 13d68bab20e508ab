// What is written down about a stored model. Manifests come from networks and shared disks: all of
// them are parsed as hostile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace galen {

// Bytes that a manifest may have.
constexpr size_t kMaxManifest = size_t{4} << 20;
// Files of a model, or layers.
constexpr size_t kMaxModelFiles = 4096;

struct StoredFile {
  std::string path;      // below the model's directory; safe (IsSafeRelativePath)
  std::string sha256;    // 64 hexadecimal digits: the blob
  std::string git_sha1;  // 40, where the hub names the file so; else empty
  int64_t size = 0;
};

struct License {
  std::string id;    // as the model card says: "apache-2.0", "other"; empty: it says none
  std::string name;  // of an "other" one
  std::string link;
  std::string text() const;  // for people, in one line; "not stated" if there is none
};

// A model from the hub, or an imported one.
struct StoredModel {
  std::string name;       // "hf:org/name@rev:variant", or the plain name of an imported one
  std::string source;     // the hub's URL of it, or the path it was imported from
  std::string revision;   // the hub's commit
  std::string format;     // "safetensors" or "gguf"
  std::string entry;      // the file to open; empty: the directory
  std::string projector;  // the image projector beside a GGUF file, if any
  License license;
  bool gated = false;
  int64_t time = 0;  // seconds since 1970
  std::vector<StoredFile> files;

  int64_t bytes() const;
  const StoredFile* Find(std::string_view path) const;
};

// where: for messages. DataLoss: no manifest, with what is wrong.
Result<StoredModel> ParseStoredModel(std::string_view json, const std::string& where);
std::string WriteStoredModel(const StoredModel& model);
// Whether what is written of the model could be read again. Digests may still be missing.
// DataLoss: no, with why.
Status CheckStorable(StoredModel model);

// A layer of an Ollama model.
struct OllamaLayer {
  std::string kind;    // "model", "projector", "system", "license", ...; other types whole
  std::string sha256;  // 64 hexadecimal digits
  int64_t size = 0;
};

struct OllamaManifest {
  OllamaLayer config;  // no digest: there is none
  std::vector<OllamaLayer> layers;

  int64_t bytes() const;
  const OllamaLayer* Find(std::string_view kind) const;
};

Result<OllamaManifest> ParseOllamaManifest(std::string_view json, const std::string& where);

}  // namespace galen
