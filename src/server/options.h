// Everything that `galen serve` can be told.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "dicomnet/inbox.h"
#include "server/http/http_server.h"
#include "server/model_registry.h"

namespace galen::server {

struct RereadOptions;
// The options as files say them now; called on SIGHUP, one call at a time.
using Reread = std::function<Result<RereadOptions>()>;

// Studies that others send, by the DICOM network and by STOW-RS, and that others have (DICOMweb).
struct StudyOptions {
  dicomnet::InboxOptions inbox;  // no folder: nothing is taken
  int port = -1;                 // of the DICOM network; -1: none, 0: any free one
  std::string host = "127.0.0.1";
  std::string title = "GALEN";
  std::vector<std::string> allow;    // TITLE=HOST: who may call
  std::vector<std::string> send_to;  // TITLE@HOST:PORT: where results may be sent
  std::vector<std::string> web;      // NAME=URL: DICOMweb servers to retrieve from and send to
  std::string web_credentials;       // file (dicomnet/web/credentials.h); empty: by environment
  std::chrono::seconds web_timeout{900};  // of all that is retrieved for one request
  int max_associations = 8;
  std::chrono::milliseconds timeout{60'000};
};

struct ServerOptions {
  HttpOptions http;
  RegistryOptions registry;
  std::string version;          // of galen
  std::string api_keys;         // file of hashed keys; empty: no keys
  std::string usage;            // database of what keys have used; empty: kept in memory
  std::string jobs;             // database of jobs; empty: none are kept
  std::string jobs_key;         // file of the key that their answers are sealed for; empty: none
  int64_t keep_jobs = 3600;     // seconds that a job stays when it is over
  std::string audit;            // file of the audit log (audit/audit_log.h); empty: none
  bool allow_insecure = false;  // another address than loopback without keys or without TLS
  bool load_on_demand = false;  // else all models are loaded at start

  bool manage_models = false;  // clients may pull, create, copy and delete models
  std::vector<std::string> pull_from = {"hub", "ollama"};  // and hosts of other registries
  bool offline = false;    // nothing is fetched; also by the environment
  std::string token_file;  // of the hub's token; empty: as FindHubToken looks for it
  size_t max_pulls = 4;    // at a time
  int64_t max_blob_bytes = int64_t{64} << 30;

  StudyOptions studies;

  int workers = 4;           // threads that prepare prompts and wait for models to load
  int document_workers = 4;  // documents at work at a time

  // Limits of one request.
  int max_json_depth = 64;
  int64_t max_choices = 8;    // n
  int64_t max_prompts = 256;  // of one call of /v1/completions
  int64_t max_images = 16;
  int64_t max_image_pixels = int64_t{64} << 20;
  int64_t max_tokens = 0;  // of an answer; 0: what the context has room for
  int64_t max_messages = 4096;
  int64_t max_files = 32;   // of one case
  int64_t max_pages = 200;  // of one case

  Reread reread;  // null: no file has options
};

struct RereadOptions {
  ServerOptions options;
  // Names of options, as people write them: those that TakeChanges takes over, and those that hold
  // from the next start on.
  std::vector<std::string> changed, needs_restart;
};

// What can change while the server runs: limits that each request looks at once.
void TakeChanges(const ServerOptions& from, ServerOptions* options);

}  // namespace galen::server
