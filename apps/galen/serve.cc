// galen serve: models behind the HTTP interfaces that OpenAI's and Ollama's clients know.
#include <sys/resource.h>

#include <csignal>
#include <iostream>
#include <set>

#include "base/json.h"
#include "builtin_models.h"
#include "commands.h"
#include "engine/memory_plan.h"
#include "serve_config.h"
#include "server/security/api_keys.h"
#include "server/server.h"
#include "session.h"

namespace galen::cli {
namespace {

struct ServeOptions : ModelOptions {
  std::vector<std::string> models, adapters;
  server::ServerOptions server;
  std::string new_key, keep_alive = "forever", config;
  double memory_gb = 0;
  int64_t max_sequences = 8, max_queue = 256, step_tokens = 512, max_body_mb = 64;
  double step_ms = 100;
  double header_seconds = 10, body_seconds = 60, write_seconds = 30, drain_seconds = 30;
  int64_t max_blob_gb = 64;
  int64_t inbox_gb = 16, instance_mb = 2048, keep_studies = 24 * 3600;
  double dicom_seconds = 60;
  int64_t web_seconds = 900;
  bool no_log = false, no_prefix_cache = false, json = false;
  bool no_builtin_model = false;
};

std::chrono::milliseconds Milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

Result<std::chrono::seconds> KeepAliveOf(const std::string& text) {
  if (text == "forever") return std::chrono::seconds(-1);
  size_t used = 0;
  long seconds = -1;
  try {
    seconds = std::stol(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != text.size() || seconds < 0)
    return InvalidArgument("--keep-alive wants a number of seconds, or forever");
  return std::chrono::seconds(seconds);
}

Result<server::ServerOptions> ServerOptionsOf(const ServeOptions& o) {
  server::ServerOptions options = o.server;
  options.version = GALEN_VERSION;
  options.http.max_body_bytes = o.max_body_mb << 20;
  options.http.max_body_total =
      std::max(options.http.max_body_total, 2 * options.http.max_body_bytes);
  options.max_blob_bytes = o.max_blob_gb << 30;
  options.http.header_timeout = Milliseconds(o.header_seconds);
  options.http.body_timeout = Milliseconds(o.body_seconds);
  options.http.write_timeout = Milliseconds(o.write_seconds);
  options.http.drain_timeout = Milliseconds(o.drain_seconds);
  options.http.handle_signals = true;
  server::StudyOptions& studies = options.studies;
  studies.inbox.max_bytes = o.inbox_gb << 30;
  studies.inbox.max_instance_bytes = o.instance_mb << 20;
  studies.inbox.keep = std::chrono::seconds(o.keep_studies);
  studies.timeout = Milliseconds(o.dicom_seconds);
  studies.web_timeout = std::chrono::seconds(o.web_seconds);
  server::HostOptions& host = options.registry.host;
  ASSIGN_OR_RETURN(host.session.runner, RunnerOptionsOf(o));
  host.session.runner.max_batch_tokens = o.step_tokens;
  host.step_seconds = o.step_ms / 1000;
  ASSIGN_OR_RETURN(host.session.kv_type, KvTypeOf(o, host.session.runner.compute));
  host.session.threads = ThreadsOf(o.threads);
  host.session.context = o.context;
  host.session.max_sequences = o.max_sequences;
  host.max_queue = o.max_queue;
  host.prefix_cache = !o.no_prefix_cache;
  options.registry.hash_content = !options.audit.empty();
  options.registry.memory = static_cast<int64_t>(o.memory_gb * 1e9);
  ASSIGN_OR_RETURN(options.registry.keep_alive, KeepAliveOf(o.keep_alive));
  return options;
}

// Each connection is a descriptor; the soft limit is often 1024.
void RaiseFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Status PrintNewKey(const std::string& name, bool json) {
  ASSIGN_OR_RETURN(const server::NewKey made, server::MakeKey(name));
  if (json) {
    std::cout << Json{{"name", name}, {"key", made.key}, {"line", made.line}}.dump() << "\n";
    return OkStatus();
  }
  std::cout << "key for the client, shown this once: " << made.key
            << "\nline for the file of --api-keys:      " << made.line << "\n";
  return OkStatus();
}

// What the options are of: the command line as it was parsed, and what it gave.
struct Invocation {
  ServeOptions line;  // without the file
  std::set<std::string> given;
  Config config;  // of the file at the start
};

// No file says these.
const std::set<std::string> kNeverInFile = {"help", "config", "new-key", "json"};
// What can change while the server runs: the others are built into what runs.
const std::set<std::string> kReloadable = {"max-tokens", "max-images", "max-image-pixels",
                                           "max-files",  "max-pages",  "max-blob-gb"};

void AddServeOptions(CLI::App& verb, ServeOptions* o);

// Reads the file again, as the start did.
server::Reread RereadOf(const Invocation& start) {
  return [start, last = start.config]() mutable -> Result<server::RereadOptions> {
    ASSIGN_OR_RETURN(Config config, ReadConfig(start.line.config));
    ServeOptions o = start.line;
    CLI::App verb;
    AddServeOptions(verb, &o);
    RETURN_IF_ERROR(ApplyConfig(config, start.given, kNeverInFile, &verb));
    server::RereadOptions reread;
    ASSIGN_OR_RETURN(reread.options, ServerOptionsOf(o));
    for (const std::string& name : ChangedOptions(last, config)) {
      if (kReloadable.count(name) > 0 && start.given.count(name) == 0)
        reread.changed.push_back(name);
    }
    for (const std::string& name : ChangedOptions(start.config, config)) {
      if (kReloadable.count(name) == 0 && start.given.count(name) == 0)
        reread.needs_restart.push_back(name);
    }
    last = std::move(config);
    return reread;
  };
}

// The model inside the program, beside those that were named.
Status AddBuiltinModel(bool alone, std::vector<server::ModelSpec>* models) {
  ASSIGN_OR_RETURN(server::ModelSpec mini, server::ParseModelSpec(std::string(kMiniModel)));
  for (const server::ModelSpec& spec : *models) {
    // Another has its name, or it was named itself.
    if (spec.name == mini.name || spec.name == mini.name + ":latest") return OkStatus();
  }
  mini.on_demand = !alone;
  models->push_back(std::move(mini));
  return OkStatus();
}

Status Serve(const ServeOptions& o, const Invocation& start) {
  if (!o.new_key.empty()) return PrintNewKey(o.new_key, o.json);
  ASSIGN_OR_RETURN(server::ServerOptions options, ServerOptionsOf(o));
  if (!o.config.empty()) options.reread = RereadOf(start);
  std::vector<server::ModelSpec> models;
  for (const std::string& argument : o.models) {
    ASSIGN_OR_RETURN(server::ModelSpec spec, server::ParseModelSpec(argument));
    models.push_back(std::move(spec));
  }
  // Adapters are of the models that were named, or of the only one.
  const bool alone = models.empty() && !o.server.manage_models;
  if (alone) RETURN_IF_ERROR(AddBuiltinModel(alone, &models));
  for (const std::string& argument : o.adapters)
    RETURN_IF_ERROR(server::AddAdapterSpec(argument, &models));
  if (!alone && !o.no_builtin_model) RETURN_IF_ERROR(AddBuiltinModel(alone, &models));
  RaiseFileLimit();
  std::signal(SIGPIPE, SIG_IGN);  // whoever read the log may have gone
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error like a full disk
  ASSIGN_OR_RETURN(const std::unique_ptr<server::Server> server,
                   server::Server::Create(options, models, o.no_log ? nullptr : &std::cerr));
  std::cout << "galen serves on " << (options.http.tls_certificate.empty() ? "http://" : "https://")
            << options.http.host << ":" << server->port() << std::endl;
  if (alone) {
    std::cout << "no MODEL was named: POST /extract and the page read with " << kMiniModel
              << ", the model inside the program" << std::endl;
  } else if (!models.empty() && models.back().on_demand) {
    std::cout << kMiniModel
              << ", the model inside the program, reads laboratory reports that POST /extract "
                 "brings without the name of a model (--no-builtin-model: not)"
              << std::endl;
  }
  if (server->dicom_port() != 0) {
    std::cout << "galen takes DICOM as " << options.studies.title << " on " << options.studies.host
              << ":" << server->dicom_port() << std::endl;
  }
  server->Run();
  return OkStatus();
}

void AddSecurityOptions(CLI::App& verb, ServeOptions* o) {
  verb.add_option(
          "--api-keys", o->server.api_keys,
          "File of hashed API keys, a line 'NAME sha256:HEX' each, and behind it what holds "
          "for the key: admin, rpm=N, tpm=N, tpd=N; requests then need one")
      ->type_name("FILE");
  verb.add_option("--usage", o->server.usage,
                  "Database of the tokens that keys have used today (tpd=N)")
      ->type_name("FILE");
  verb.add_option("--new-key", o->new_key, "Make a key with this name, print it, and end");
  verb.add_flag("--json", o->json, "--new-key prints an object: name, key, line");
  verb.add_option("--tls-cert", o->server.http.tls_certificate, "Certificate chain, PEM")
      ->type_name("FILE");
  verb.add_option("--tls-key", o->server.http.tls_key, "Its private key, PEM")->type_name("FILE");
  verb.add_option(
          "--audit", o->server.audit,
          "File of the audit log: who asked which model when, without any text; the weights "
          "are read at the start for their digest")
      ->type_name("FILE");
  verb.add_flag("--allow-insecure", o->server.allow_insecure,
                "Listen where others reach it without keys or TLS");
}

void AddLibraryOptions(CLI::App& verb, ServeOptions* o) {
  server::ServerOptions& s = o->server;
  verb.add_flag("--manage-models", s.manage_models,
                "Serve the models of galen's store, too, and let clients pull, create, copy and "
                "delete them; where keys are used, those with the right 'admin'");
  verb.add_option("--pull-from", s.pull_from,
                  "Where clients may have models pulled from: hub, ollama, or the host of another "
                  "registry or of a mirror's storage; may be repeated")
      ->type_name("WHERE")
      ->allow_extra_args(false)
      ->capture_default_str();
  verb.add_flag("--offline", s.offline, "Fetch nothing");
  verb.add_option("--token-file", s.token_file, "File with the hub's token")->type_name("FILE");
  verb.add_option("--max-blob-gb", o->max_blob_gb, "Size of a file that clients send")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 14))
      ->capture_default_str();
}

void AddStudyOptions(CLI::App& verb, ServeOptions* o) {
  server::StudyOptions& s = o->server.studies;
  verb.add_option("--dicom-inbox", s.inbox.folder,
                  "Folder of this server alone for studies that others send (STOW-RS, and with "
                  "--dicom-port C-STORE)")
      ->type_name("DIR");
  verb.add_option("--dicom-port", s.port,
                  "Port of the DICOM network; 0: any free one. Without it there is none")
      ->check(CLI::Range(0, 65535));
  verb.add_option("--dicom-host", s.host, "Address of the DICOM network to listen on")
      ->capture_default_str();
  verb.add_option("--dicom-title", s.title, "Title of this application entity")
      ->capture_default_str();
  verb.add_option("--dicom-allow", s.allow,
                  "Who may send, TITLE=HOST (HOST an address, a name, or * for any); may be "
                  "repeated, or a list with commas")
      ->type_name("TITLE=HOST")
      ->delimiter(',')
      ->allow_extra_args(false);
  verb.add_option("--dicom-send-to", s.send_to,
                  "Where requests may have results sent, TITLE@HOST:PORT; may be repeated, or a "
                  "list with commas")
      ->type_name("TITLE@HOST:PORT")
      ->delimiter(',')
      ->allow_extra_args(false);
  verb.add_option("--dicomweb", s.web,
                  "DICOMweb server that requests may name as dicomweb:NAME, NAME=URL; may be "
                  "repeated, or a list with commas")
      ->type_name("NAME=URL")
      ->delimiter(',')
      ->allow_extra_args(false);
  verb.add_option("--dicomweb-credentials", s.web_credentials,
                  "File with lines ORIGIN bearer TOKEN or ORIGIN basic USER:PASSWORD (default: the "
                  "one that GALEN_DICOMWEB_CREDENTIALS names)")
      ->type_name("FILE");
  verb.add_option("--dicomweb-timeout", o->web_seconds,
                  "Seconds in which a study of a DICOMweb server must be there")
      ->check(CLI::Range(int64_t{1}, int64_t{24} * 3600))
      ->capture_default_str();
  verb.add_option("--dicom-associations", s.max_associations, "At a time; more are rejected")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb.add_option("--dicom-timeout", o->dicom_seconds,
                  "Seconds in which each command, and each MiB of an instance, must come")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  verb.add_option("--keep-studies", o->keep_studies,
                  "Seconds that a study stays in the inbox after its last instance came")
      ->check(CLI::Range(int64_t{1}, int64_t{366} * 24 * 3600))
      ->capture_default_str();
  verb.add_option("--max-inbox-gb", o->inbox_gb, "Size of all instances in the inbox")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  verb.add_option("--max-inbox-instances", s.inbox.max_instances, "Number of them")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 30))
      ->capture_default_str();
  verb.add_option("--max-instance-mb", o->instance_mb, "Size of an instance")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
}

void AddLimitOptions(CLI::App& verb, ServeOptions* o) {
  server::ServerOptions& s = o->server;
  verb.add_option(
      "--jobs", s.jobs,
      "Database of jobs (/extract?job=true), whose answers lie there until they expire");
  verb.add_option("--jobs-key", s.jobs_key,
                  "File of a key (64 hexadecimal digits) for which answers of jobs are sealed on "
                  "the disk (AES-256-GCM)");
  verb.add_option("--keep-jobs", s.keep_jobs, "Seconds that a job stays when it is over")
      ->check(CLI::Range(int64_t{0}, int64_t{7} * 24 * 3600))
      ->capture_default_str();
  const auto positive = CLI::Range(int64_t{1}, int64_t{1} << 30);
  verb.add_option("--max-queue", o->max_queue, "Requests that wait for a model; more get 429")
      ->check(positive)
      ->capture_default_str();
  verb.add_option("--max-connections", s.http.max_connections, "Open at once")
      ->check(positive)
      ->capture_default_str();
  verb.add_option("--max-body-mb", o->max_body_mb, "Size of a request's body")
      ->check(CLI::Range(int64_t{1}, int64_t{4096}))
      ->capture_default_str();
  verb.add_option("--max-tokens", s.max_tokens, "Of an answer (0: what the context has room for)")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 30))
      ->capture_default_str();
  verb.add_option("--max-images", s.max_images, "Of a request")
      ->check(positive)
      ->capture_default_str();
  verb.add_option("--max-image-pixels", s.max_image_pixels, "Of an image, decoded")
      ->check(positive)
      ->capture_default_str();
  verb.add_option("--max-files", s.max_files, "Of a request")
      ->check(positive)
      ->capture_default_str();
  verb.add_option("--max-pages", s.max_pages, "Of all files of a request")
      ->check(positive)
      ->capture_default_str();
  verb.add_option("--document-workers", s.document_workers, "Documents at work at a time")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  const auto seconds = CLI::Range(0.1, 86400.0);
  verb.add_option("--header-timeout", o->header_seconds, "Seconds to send the headers in")
      ->check(seconds)
      ->capture_default_str();
  verb.add_option("--body-timeout", o->body_seconds, "Seconds to send the body in")
      ->check(seconds)
      ->capture_default_str();
  verb.add_option("--write-timeout", o->write_seconds, "Seconds in which a client must read")
      ->check(seconds)
      ->capture_default_str();
  verb.add_option("--drain-timeout", o->drain_seconds,
                  "Seconds that running requests get when the server is stopped")
      ->check(seconds)
      ->capture_default_str();
}

void AddServeOptions(CLI::App& verb, ServeOptions* o) {
  verb.add_option(
          "models", o->models,
          "[NAME=]MODEL: GGUF files, Hugging Face directories, or ollama:NAME[:TAG]. "
          "galen-mini, the model inside the program, is served beside them, loaded when /extract "
          "asks for it")
      ->type_name("MODEL");
  verb.add_option("--adapter", o->adapters,
                  "[MODEL:]NAME=DIR: serve MODEL with this low-rank adapter as MODEL:NAME beside "
                  "it; may be repeated");
  verb.add_option(
          "--config", o->config,
          "YAML file of options by their names without --, and models: a list of MODEL; what "
          "the command line says holds over it. SIGHUP reads it again")
      ->type_name("FILE");
  verb.add_option("--host", o->server.http.host, "Address to listen on")->capture_default_str();
  verb.add_option("--port", o->server.http.port, "Port; 0: any free one. 11434 is Ollama's")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  verb.add_option("--context", o->context, "Tokens of one prompt and answer together")
      ->check(CLI::Range(int64_t{16}, int64_t{1} << 30))
      ->capture_default_str();
  verb.add_option("--max-sequences", o->max_sequences, "Answers of one model at a time")
      ->check(CLI::Range(int64_t{1}, int64_t{1024}))
      ->capture_default_str();
  verb.add_option("--step-tokens", o->step_tokens,
                  "Tokens of a step: a long prompt keeps the others' tokens waiting for one step")
      ->check(CLI::Range(int64_t{16}, int64_t{1} << 16))
      ->capture_default_str();
  verb.add_option(
          "--step-ms", o->step_ms,
          "Milliseconds of a step in which answers wait for their next token: a long prompt "
          "is computed in as small pieces as that takes; 0: in pieces of --step-tokens")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  verb.add_flag("--no-builtin-model", o->no_builtin_model,
                "Serve without galen-mini, the model inside the program");
  verb.add_flag("--on-demand", o->server.load_on_demand, "Load models when they are asked for");
  verb.add_option("--keep-alive", o->keep_alive, "Seconds until an idle model goes, or forever")
      ->capture_default_str();
  verb.add_option("--memory", o->memory_gb, "GB for all models together (0: what is free)")
      ->check(CLI::Range(0.0, 1e6));
  verb.add_flag("--no-prefix-cache", o->no_prefix_cache, "Compute every prompt from its beginning");
  verb.add_flag("--no-log", o->no_log, "No line for each request on standard error");
  AddComputeOptions(verb, o);
  AddSecurityOptions(verb, o);
  AddLibraryOptions(verb, o);
  AddStudyOptions(verb, o);
  AddLimitOptions(verb, o);
}

}  // namespace

void AddServe(CLI::App& app, Action* action) {
  auto o = std::make_shared<ServeOptions>();
  o->context = 4096;
  o->server.http.port = 11434;
  CLI::App* verb = app.add_subcommand(
      "serve", "Serve models over HTTP to clients of OpenAI's and Ollama's interfaces");
  AddServeOptions(*verb, o.get());
  verb->callback([o, action, verb] {
    Invocation start{*o, GivenOptions(*verb), {}};
    if (!o->config.empty()) {
      Result<Config> config = ReadConfig(o->config);
      RequireUsage(config.status());
      RequireUsage(ApplyConfig(*config, start.given, kNeverInFile, verb));
      start.config = *std::move(config);
    }
    if (o->no_builtin_model && o->models.empty() && !o->server.manage_models &&
        o->new_key.empty()) {
      RequireUsage(InvalidArgument("--no-builtin-model wants a MODEL, or --manage-models"));
    }
    *action = [o, start = std::move(start)] { return Serve(*o, start); };
  });
}

}  // namespace galen::cli
