// Names of models outside the file system: "hf:org/name[@rev][:file-or-quant]",
// "ollama:[host/][namespace/]model[:tag]", and plain names that `galen import` gave.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace galen {

struct HubName {
  std::string repo;      // "org/name", or "name" alone
  std::string revision;  // branch, tag or commit; empty: main
  std::string variant;   // a GGUF file or its quantisation; empty: what the repository has

  const std::string& branch() const;  // the revision, "main" where there is none
  std::string text() const;           // "hf:org/name@rev:variant", parts that are absent left out
};

struct OllamaName {
  std::string host = "registry.ollama.ai", space = "library", model, tag = "latest";
  // Below a store's root: "manifests/HOST/NAMESPACE/MODEL/TAG".
  std::string manifest_path() const;
  // "ollama:model:tag", with host and namespace where they are no default.
  std::string text() const;
};

// True of "hf:..." and "ollama:...".
bool IsHubName(std::string_view name);
bool IsOllamaName(std::string_view name);
// Letters, digits and . _ - with a letter or digit first: what `galen import --name` takes.
bool IsLocalName(std::string_view name);

// InvalidArgument: malformed, or a name that would lead out of the store.
Result<HubName> ParseHubName(std::string_view name);
Result<OllamaName> ParseOllamaName(std::string_view name);

// "NAME.tmp.PID": of a file that WriteFileAtomically has not finished.
bool IsTemporaryName(std::string_view file);

// A relative path of plain parts: no "..", no empty part, no backslash, no control character, and
// nothing that a file system treats in its own way.
bool IsSafeRelativePath(std::string_view path);

// Percent-encodes all but letters, digits and . _ - ~ (and the slash where asked).
std::string PercentEncode(std::string_view text, bool keep_slash);

}  // namespace galen
