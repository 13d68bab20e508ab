// Every model that a name can mean on this machine: in the program, in galen's store, in Ollama's,
// in the cache of Hugging Face's tools.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "store/digest.h"
#include "store/store.h"

namespace galen {

struct CatalogFile {
  std::string path;    // where it lies
  std::string digest;  // 64 digits: SHA-256; 40: git's SHA-1; empty: none is known
  int64_t size = 0;    // as the manifest says
};

struct CatalogEntry {
  std::string name;     // as a MODEL argument
  std::string place;    // "builtin" (in the program), "store", "ollama", "hf-cache"
  std::string format;   // "gguf", "safetensors"
  std::string license;  // one line; empty: not known
  std::string revision;
  int64_t bytes = 0;
  int64_t time = 0;  // seconds since 1970
  std::vector<CatalogFile> files;
};

// faults: manifests that cannot be read, and why. May be null.
std::vector<CatalogEntry> ListModels(const ModelStore& store,
                                     std::vector<std::string>* faults = nullptr);

// The first line of the licence that comes with an Ollama model; empty: none does.
std::string LicenseOfOllama(const ModelStore& store, const OllamaManifest& manifest);

// Hashes every file of an entry. Empty: all are what they should be. Else what is wrong with each.
// sound: paths that were found to be right, which are not hashed again.
Result<std::vector<std::string>> CheckEntry(const CatalogEntry& entry, std::set<std::string>* sound,
                                            const OnBytes& on_bytes = {});

}  // namespace galen
