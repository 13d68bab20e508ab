#include "store/select_files.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "base/memory.h"
#include "store/manifest.h"

namespace galen {
namespace {

// What the readers of configurations, tokenizers, templates and image processors look for.
constexpr auto kBesideWeights = std::to_array<std::string_view>(
    {"config.json", "generation_config.json", "tokenizer.json", "tokenizer.model",
     "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
     "vocab.txt", "merges.txt", "spiece.model", "chat_template.jinja", "chat_template.json",
     "preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json",
     "adapter_config.json", "model.safetensors.index.json"});

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return lower;
}

std::string_view Base(std::string_view path) { return path.substr(path.rfind('/') + 1); }
bool IsTop(std::string_view path) { return path.find('/') == std::string_view::npos; }

bool IsGguf(const RepoFile& file) { return Lower(file.path).ends_with(".gguf"); }
bool IsProjector(const RepoFile& file) {
  return IsGguf(file) && Lower(Base(file.path)).find("mmproj") != std::string::npos;
}
bool IsLegal(const RepoFile& file) {
  const std::string lower = Lower(file.path);
  return IsTop(lower) && (lower == "readme.md" || lower == "notice" ||
                          lower.starts_with("license") || lower.starts_with("notice."));
}
// "model-00001-of-00003"
bool IsSplit(std::string_view path) {
  const std::string stem(path.substr(0, path.rfind('.')));
  return stem.size() > 15 && stem.substr(stem.size() - 9, 4) == "-of-" &&
         stem.find_first_not_of("0123456789", stem.size() - 5) == std::string::npos;
}

// Weights of the directory itself; of the file that stands for all where both are there.
std::vector<RepoFile> Weights(const std::vector<RepoFile>& files) {
  std::vector<RepoFile> weights;
  const auto has = [&](std::string_view name) {
    return std::any_of(files.begin(), files.end(),
                       [&](const RepoFile& f) { return f.path == name; });
  };
  const bool index = has("model.safetensors.index.json");
  const bool single = !index && has("model.safetensors");
  for (const RepoFile& file : files) {
    if (!IsTop(file.path) || !file.path.ends_with(".safetensors")) continue;
    if (single && file.path != "model.safetensors") continue;
    if (index && !(file.path.starts_with("model-") && IsSplit(file.path))) continue;
    weights.push_back(file);
  }
  return weights;
}

std::string Listed(const std::vector<const RepoFile*>& files) {
  std::string list;
  for (const RepoFile* file : files) {
    list += "\n  " + file->path;
    if (file->size >= 0) list += " (" + FormatBytes(file->size) + ")";
  }
  return list;
}

// "Q4_K_M" of "medgemma-4b-it-Q4_K_M.gguf" and of "medgemma.q4_k_m.gguf".
bool HasQuantisation(std::string_view path, const std::string& wanted) {
  std::string stem = Lower(Base(path));
  stem.resize(stem.size() - 5);
  if (!stem.ends_with(wanted)) return false;
  const size_t before = stem.size() - wanted.size();
  return before == 0 || stem[before - 1] == '-' || stem[before - 1] == '.' ||
         stem[before - 1] == '_';
}

const RepoFile* BestProjector(const std::vector<RepoFile>& files) {
  const RepoFile* best = nullptr;
  int best_rank = 99;
  for (const RepoFile& file : files) {
    if (!IsProjector(file)) continue;
    const std::string stem = Lower(Base(file.path));
    int rank = 4;
    for (int i = 0; const char* type : {"bf16", "f16", "f32", "q8_0"}) {
      if (stem.find(type) != std::string::npos) {
        rank = i == 0 ? 1 : i == 1 ? 0 : i;  // f16 first; "bf16" holds "f16"
        break;
      }
      ++i;
    }
    if (rank < best_rank) {
      best_rank = rank;
      best = &file;
    }
  }
  return best;
}

Result<Selection> Gguf(const std::vector<RepoFile>& files, const std::string& variant,
                       const std::string& name) {
  std::vector<const RepoFile*> all, chosen;
  for (const RepoFile& file : files) {
    if (IsGguf(file) && !IsProjector(file)) all.push_back(&file);
  }
  const std::string wanted = Lower(variant);
  for (const RepoFile* file : all) {
    if (variant.empty() || file->path == variant || HasQuantisation(file->path, wanted))
      chosen.push_back(file);
  }
  if (chosen.empty()) {
    return NotFound(name + ": no file fits '" + variant + "'" +
                    (all.empty() ? std::string("; the repository has no GGUF files")
                                 : "; there are:" + Listed(all)));
  }
  if (IsSplit(chosen[0]->path)) {
    return Unsupported(name + ": " + chosen[0]->path +
                       " is one part of a split model, which galen does not read; choose a "
                       "quantisation in one file, or join them with llama-gguf-split --merge and "
                       "import the result");
  }
  if (chosen.size() > 1) {
    return InvalidArgument(name + " has several models; name one, as in " + name + ":" +
                           std::string(Base(chosen[0]->path)) + Listed(chosen));
  }
  Selection selection;
  selection.format = "gguf";
  selection.entry = chosen[0]->path;
  selection.files.push_back(*chosen[0]);
  if (const RepoFile* projector = BestProjector(files)) {
    selection.projector = projector->path;
    selection.files.push_back(*projector);
  }
  return selection;
}

}  // namespace

Result<Selection> SelectFiles(const std::vector<RepoFile>& files, const std::string& variant,
                              const std::string& name) {
  const std::vector<RepoFile> weights = Weights(files);
  const bool gguf = std::any_of(files.begin(), files.end(), IsGguf);
  Selection selection;
  if (!variant.empty() || (weights.empty() && gguf)) {
    ASSIGN_OR_RETURN(selection, Gguf(files, variant, name));
  } else {
    if (weights.empty()) {
      const bool pickled = std::any_of(files.begin(), files.end(), [](const RepoFile& f) {
        return f.path.ends_with(".bin") || f.path.ends_with(".pt") || f.path.ends_with(".pth");
      });
      if (pickled) {
        return Unsupported(name +
                           " has pickled PyTorch weights alone, which can run code: galen loads "
                           "safetensors and GGUF; look for a conversion of it");
      }
      return NotFound(name + " has neither safetensors nor GGUF files at its top level");
    }
    selection.format = "safetensors";
    for (const RepoFile& file : files) {
      if (std::find(kBesideWeights.begin(), kBesideWeights.end(), file.path) !=
          kBesideWeights.end())
        selection.files.push_back(file);
    }
    const bool configured =
        std::any_of(selection.files.begin(), selection.files.end(), [](const RepoFile& f) {
          return f.path == "config.json" || f.path == "adapter_config.json";
        });
    if (!configured) return NotFound(name + " has no config.json");
    selection.files.insert(selection.files.end(), weights.begin(), weights.end());
  }
  for (const RepoFile& file : files) {
    if (IsLegal(file)) selection.files.push_back(file);
  }
  // "LICENSE.gguf" is model and licence text at once.
  std::set<std::string> seen;
  std::erase_if(selection.files, [&](const RepoFile& f) { return !seen.insert(f.path).second; });
  if (selection.files.size() > kMaxModelFiles) {
    return Unsupported(name + " has " + std::to_string(selection.files.size()) +
                       " files to load; galen stores " + std::to_string(kMaxModelFiles) +
                       " of one model at most");
  }
  return selection;
}

}  // namespace galen
