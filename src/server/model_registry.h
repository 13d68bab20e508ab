// The models that a server offers: their names, what their files say, and which are loaded. Loads
// on demand under one memory budget, and lets go of what nobody has used for a while.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "server/model_host.h"

namespace galen::server {

struct AdapterSpec {
  std::string name;  // the model with it is MODEL:NAME
  std::string path;  // as OpenAdapter takes it
};

struct ModelSpec {
  std::string name;
  std::string path;
  std::string mmproj;      // empty: the one beside the model that fits
  std::string system;      // system text where a conversation has none
  std::string parameters;  // defaults of the options of /api/chat and /api/generate, JSON
  std::string license;
  std::string stored;  // its name in galen's store ("hf:...", "ollama:...", a plain one), if any
  std::vector<AdapterSpec> adapters;
  bool on_demand = false;  // never loaded at the start
};

// "PATH" or "NAME=PATH"; the name of a path is that of the file without its ending, of the
// directory, or the name in a store without its prefix. InvalidArgument: a name with characters
// that no client sends.
Result<ModelSpec> ParseModelSpec(const std::string& argument);
// "[MODEL:]NAME=PATH" goes to the model that it names, or to the only one. InvalidArgument.
Status AddAdapterSpec(const std::string& argument, std::vector<ModelSpec>* models);

// What is known without loading.
struct ModelInfo {
  ModelSpec spec;
  ModelFiles files;  // without the tokenizer
  int64_t file_bytes = 0;
  int64_t parameters = 0;
  int64_t modified = 0;      // seconds since 1970
  std::string quantisation;  // QuantizationLevel: "Q4_K_M", "NF4", "BF16"
  // Identity of path, size and time, for clients that want a digest; the content is not hashed.
  std::string identity;
  std::string content;  // SHA-256 of the weights' bytes; empty unless RegistryOptions::hash_content
  // Of a model with an adapter: its bit (Request::adapters) and digest. The model without has none.
  uint64_t adapters = 0;
  std::string adapter_digest;
  bool sees() const { return files.vision_status.ok(); }
  // It reads documents line by line, and was trained for nothing else (VisionConfig::page_lines).
  bool reads_lines() const { return sees() && files.vision.page_lines.has_value(); }
  // The file of the image projector, also of one that was only found beside the model; empty: none,
  // or it is in the model's own file.
  std::string projector() const;
  // As Ollama's clients name them: completion, vision, tools. Functions are not for those that read
  // lines.
  std::vector<std::string> capabilities() const;
};
// Whoever has one may go on with it when the model is no longer offered.
using ModelRef = std::shared_ptr<const ModelInfo>;

struct RegistryOptions {
  HostOptions host;
  int64_t memory = 0;  // bytes of all loaded models; 0: what the machine has free at each load
  std::chrono::seconds keep_alive{-1};  // idle models go after this; negative: never
  bool hash_content = false;            // read all weights at the start
};

class ModelRegistry {
 public:
  // Reads headers only. InvalidArgument: two models of one name; else as of ReadModel.
  static Result<std::unique_ptr<ModelRegistry>> Create(const RegistryOptions& options,
                                                       const std::vector<ModelSpec>& specs);
  ~ModelRegistry();

  std::vector<ModelRef> models() const;
  // Null if there is none. "NAME:latest" and "NAME" are the same. Models with adapters, MODEL:NAME,
  // are models of their own that share the weights. Names of stores ("hf:...", "hf.co/...",
  // "ollama:...") find what is served of it.
  ModelRef Find(std::string_view name) const;
  // What a request means that names none: the only one, not counting those that read lines of
  // documents where there are others. Null: there are several, or none.
  ModelRef Only() const;
  // The first that reads the lines of documents of this kind ("auto": of any); null if there is
  // none.
  ModelRef FindLineReader(std::string_view kind) const;
  // All that are served of a name of the store, without those with adapters.
  std::vector<ModelRef> FindStored(const std::string& stored) const;
  // "there is no model 'x'; did you mean 'y'?"
  std::string Unknown(std::string_view name) const;

  // Where digests of weights are kept (hash_content): reads these, so that Put need not. Errors: as
  // of DigestOfWeights.
  Status ReadContent(const std::string& path) const;
  // Reads the headers of a model as Put does. Errors: as of ReadModel.
  Status Check(const ModelSpec& spec) const;
  // Offers a model, instead of the one that has this name; who uses that goes on with it.
  // InvalidArgument: the name is that of a model with an adapter; else as Check.
  Status Put(const ModelSpec& spec);
  // Offers it no longer. It goes when nobody uses it.
  void Remove(const ModelInfo& info);

  // The model, loaded; waits for the loading. ResourceExhausted, with sizes: it does not fit beside
  // the models that are at work. NotFound: it was removed meanwhile. load_seconds: 0 where it was
  // there already.
  Result<std::shared_ptr<ModelHost>> Acquire(const ModelInfo& info, double* load_seconds);
  // Lets go of an idle model; one at work goes when it is done.
  void Unload(const ModelInfo& info);
  std::chrono::seconds default_keep_alive() const { return options_.keep_alive; }
  // Tokens of a prompt and its answer that the model takes here.
  int64_t ContextOf(const ModelInfo& info) const {
    return std::min(options_.host.session.context, info.files.config.max_position_embeddings);
  }
  // When it goes if it stays idle from now on; negative: never.
  void KeepAlive(const ModelInfo& info, std::chrono::seconds time);

  struct Loaded {
    ModelRef info;
    std::shared_ptr<ModelHost> host;
    int64_t expires = 0;  // seconds since 1970; 0: never
  };
  std::vector<Loaded> loaded() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    std::shared_ptr<ModelInfo> info;
    std::vector<std::shared_ptr<ModelInfo>> adapted;
    std::shared_ptr<ModelHost> host;
    Clock::time_point used{};
    std::chrono::seconds keep_alive{-1};
  };
  using EntryRef = std::shared_ptr<Entry>;

  explicit ModelRegistry(const RegistryOptions& options);
  Result<EntryRef> ReadEntry(const ModelSpec& spec) const;
  Result<std::string> ContentOf(const std::string& path) const;
  // Null: it was removed. mutex_ is held.
  EntryRef EntryOf(const ModelInfo& info) const;
  // Takes the longest idle model out; null if all are at work.
  std::shared_ptr<ModelHost> TakeIdle(const EntryRef& except);
  void Sweep();

  const RegistryOptions options_;
  TurnLock turns_;
  mutable std::mutex mutex_;  // of the lists, and of the entries' hosts and times
  std::vector<EntryRef> entries_;
  std::vector<EntryRef> removed_;  // still at work
  mutable std::mutex digests_mutex_;
  mutable std::map<std::string, std::string> digests_;  // by StateOfWeights
  std::mutex loading_;                                  // one load at a time
  std::condition_variable stopping_;
  bool stop_ = false;
  std::thread sweeper_;
};

}  // namespace galen::server
