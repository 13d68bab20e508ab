// galen pull: a model from the hub or from an Ollama registry into the store.
#include "store/pull.h"

#include <unistd.h>

#include <csignal>
#include <iostream>
#include <memory>

#include "base/json.h"
#include "base/memory.h"
#include "commands.h"
#include "progress.h"
#include "session.h"
#include "stop_signal.h"

namespace galen::cli {
namespace {

struct PullVerbOptions {
  std::string name;
  PullOptions pull;
  bool json = false;
};

// Events as lines of JSON, or as a bar and lines on standard error.
class Listener {
 public:
  Listener(const std::string& name, bool json) : name_(name), json_(json) {}

  void On(const PullEvent& e) {
    if (json_)
      Write(e);
    else
      Show(e);
  }
  void Close() { bar_.reset(); }

 private:
  static constexpr int64_t kMegabyte = 1'000'000;

  void Show(const PullEvent& e) {
    switch (e.kind) {
      case PullEvent::Kind::kLicense:
        std::cerr << "licence of " << name_ << ": " << e.text << "\n";
        break;
      case PullEvent::Kind::kNote:
        bar_.reset();
        std::cerr << "galen: " << e.text << "\n";
        break;
      case PullEvent::Kind::kFile:
      case PullEvent::Kind::kProgress: {
        if (bar_ == nullptr) {
          bar_ = std::make_unique<Progress>("MB", e.total / kMegabyte);
          shown_ = 0;
        }
        const int64_t megabytes = e.done / kMegabyte;
        if (megabytes > shown_) bar_->Add(megabytes - shown_);
        shown_ = std::max(shown_, megabytes);
        break;
      }
      default:
        break;
    }
  }

  void Write(const PullEvent& e) {
    Json json;
    switch (e.kind) {
      case PullEvent::Kind::kManifest:
        json = {{"event", "manifest"}, {"name", e.text}};
        break;
      case PullEvent::Kind::kLicense:
        json = {{"event", "license"}, {"license", e.text}};
        break;
      case PullEvent::Kind::kNote:
        json = {{"event", "note"}, {"text", e.text}};
        break;
      case PullEvent::Kind::kFile:
      case PullEvent::Kind::kProgress: {
        const double now = Now();
        const bool last = e.file_done == e.file_total;
        if (e.kind == PullEvent::Kind::kProgress && !last && now - written_ < 0.25) return;
        written_ = now;
        json = {{"event", e.kind == PullEvent::Kind::kFile ? "file" : "progress"},
                {"file", e.text},
                {"digest", e.digest},
                {"completed", e.file_done},
                {"size", e.file_total},
                {"total_completed", e.done},
                {"total", e.total}};
        break;
      }
      default:
        return;
    }
    std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  }

  const std::string name_;
  const bool json_;
  std::unique_ptr<Progress> bar_;
  int64_t shown_ = 0;
  double written_ = 0;
};

Status RunPull(PullVerbOptions o) {
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error like a full disk
  const std::atomic<bool>& stop = CatchStopSignals();
  o.pull.http.cancelled = [&stop] { return stop.load(); };
  const ModelStore store;
  Listener listener(o.name, o.json);
  Result<Pulled> pulled =
      PullModel(store, o.name, o.pull, [&](const PullEvent& e) { listener.On(e); });
  listener.Close();
  RETURN_IF_ERROR(pulled.status());
  if (o.json) {
    const Json json = {{"event", "done"},
                       {"name", pulled->name},
                       {"revision", pulled->revision},
                       {"license", pulled->license},
                       {"bytes", pulled->bytes},
                       {"was_there", pulled->was_there}};
    std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    std::cout << pulled->name << (pulled->was_there ? " was there already, " : ", ")
              << FormatBytes(pulled->bytes) << ", revision " << pulled->revision.substr(0, 19)
              << "\nlicence: " << pulled->license << "\ntry: galen run " << pulled->name << "\n";
  }
  return OkStatus();
}

}  // namespace

void AddPull(CLI::App& app, Action* action) {
  auto o = std::make_shared<PullVerbOptions>();
  o->pull.http.user_agent = "galen/" GALEN_VERSION;
  CLI::App* verb = app.add_subcommand("pull", "Fetch a model from a hub into the store");
  verb->add_option("name", o->name,
                   "hf:org/name[@revision][:file or quantisation], or "
                   "ollama:[host/][namespace/]model[:tag]")
      ->required();
  verb->add_option("--token-file", o->pull.token_file,
                   "File with the hub's token (default: HF_TOKEN, ~/.cache/huggingface/token)");
  verb->add_flag("--offline", o->pull.offline, "Fetch nothing: is it there, and whole?");
  verb->add_option("--timeout", o->pull.http.stall_seconds,
                   "Seconds after which a server that sends less than 1 KiB/s is given up")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str();
  verb->add_option("--retries", o->pull.http.retries,
                   "Tries after the first, of what may go away: cut connections, 429, 5xx")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  verb->add_flag("--json", o->json, "What happens as lines of JSON");
  verb->callback([o, action] { *action = [o] { return RunPull(*o); }; });
}

}  // namespace galen::cli
