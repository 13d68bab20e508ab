// The store behind a server whose models clients may change (--manage-models): what may be fetched
// from where, and how what is in the store and what is served stay the same.
#pragma once

#include <mutex>
#include <string>

#include "server/library/pulls.h"
#include "server/library/slow_work.h"
#include "server/model_registry.h"
#include "server/options.h"
#include "server/server_log.h"
#include "store/compose.h"

namespace galen::server {

// Of a model of one GGUF file, what another one can be made of.
ModelParts PartsOf(const ModelInfo& info);

class Library {
 public:
  // fixed: the names of the models of the command line. All outlive this.
  Library(const ServerOptions& options, ModelRegistry* models, ServerLog* log,
          const std::vector<ModelSpec>& fixed);

  const ModelStore& store() const { return store_; }
  Pulls& pulls() { return pulls_; }
  // Where Compose and Copy run: they read whole models.
  SlowWork& slow_work() { return slow_work_; }

  // Offers what the store has beside the models of the command line, and what is no longer there no
  // more. What cannot be read is logged.
  void ServeStore();

  // The full name in the store of what a client asks to pull. InvalidArgument: no name, a name that
  // the command line gave to another model, or a place that --pull-from does not name.
  Result<std::string> MayPull(const std::string& client_name) const;
  // Under what name a client's new model is stored. InvalidArgument: as above, or a name that an
  // imported model has.
  Result<OllamaName> MayName(const std::string& client_name) const;

  // Stores a model under a name, and offers it. InvalidArgument, DataLoss, Unsupported: the parts
  // make no model that galen runs; else as ComposeModel.
  Status Compose(const OllamaName& name, const ModelParts& parts, const ComposeOptions& options);
  // The same model under another name. Errors: as MayName and Compose.
  Status Copy(const ModelInfo& source, const std::string& client_name,
              const ComposeOptions& options);
  // Takes a model out of the store, and offers it no longer. InvalidArgument: its files are not of
  // the store.
  Status Remove(const ModelInfo& info);

 private:
  // InvalidArgument: the name that clients would know it by is another model's.
  Status IsFree(const std::string& stored) const;
  Status Pull(const std::string& name, const Cancel& cancelled, const OnPullEvent& on_event);
  // Offers what the store has under this name. changing_ is held: what takes long was done before,
  // by ReadContent.
  Status Serve(const std::string& stored);
  // Reads the weights for the audit log. What cannot be read is for Serve to say.
  void ReadContent(const std::string& stored) const;
  bool IsFixed(const std::string& client_name) const;

  const ServerOptions& options_;
  ModelRegistry& models_;
  ServerLog& log_;
  const ModelStore store_;
  const std::vector<ModelSpec> fixed_;
  std::mutex changing_;  // one change at a time of what is stored and served; no file is read
  SlowWork slow_work_{2, 32};
  Pulls pulls_;  // ends first
};

}  // namespace galen::server
