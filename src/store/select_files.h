// Which files of a repository on the hub make a model that galen loads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace galen {

struct RepoFile {
  std::string path;
  int64_t size = -1;     // -1: not stated
  std::string sha256;    // of files in large file storage
  std::string git_sha1;  // of the others
};

struct Selection {
  std::vector<RepoFile> files;
  std::string format;     // "safetensors" or "gguf"
  std::string entry;      // the GGUF file; empty: the directory
  std::string projector;  // the image projector beside it
};

// Without a variant: a checkpoint in safetensors with its configuration, tokenizer, template and
// preprocessing (or a PEFT adapter), else the one GGUF file. variant: a file, or the quantisation
// at the end of a GGUF file's name ("Q4_K_M"). The model card and licence texts come along.
// Errors: InvalidArgument, with the choices, if there are several; NotFound; Unsupported (pickled
// weights alone, split GGUF files).
Result<Selection> SelectFiles(const std::vector<RepoFile>& files, const std::string& variant,
                              const std::string& name);

}  // namespace galen
