#include "data/synth/run_synth.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "data/synth/synth_workers.h"
#include "text/template/chat_template.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

// The folder while it is not complete.
class PartialFolder {
 public:
  ~PartialFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  Status Create(const std::string& name) {
    name_ = name;
    while (name_.size() > 1 && name_.back() == '/') name_.pop_back();
    if (name_.empty()) return InvalidArgument("--out names no folder");
    std::error_code error;
    if (fs::exists(name_, error)) {
      if (!fs::is_directory(name_, error))
        return InvalidArgument("--out " + name_ + " is a file; name a folder");
      if (!fs::is_empty(name_, error))
        return InvalidArgument("--out " + name_ + " is not empty; name a new folder");
    }
    const fs::path parent = fs::path(name_).parent_path();
    if (!parent.empty()) {
      fs::create_directories(parent, error);
      if (error) return IoError("making " + parent.string() + ": " + error.message());
    }
    std::string pattern = name_ + ".partial-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) return WriteError(pattern, errno);
    path_ = pattern;
    fs::permissions(path_, fs::perms(0755), error);
    return OkStatus();
  }
  const std::string& path() const { return path_; }
  // Everything reaches the disk before the name does.
  Status Commit() {
    const int fd = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return WriteError(path_, errno);
    const int failed = ::syncfs(fd) != 0 ? errno : 0;
    ::close(fd);
    if (failed != 0) return WriteError(path_, failed);
    if (std::rename(path_.c_str(), name_.c_str()) != 0) return WriteError(name_, errno);
    path_.clear();
    return OkStatus();
  }

 private:
  std::string name_, path_;
};

const char* SetName(SynthSet set) {
  return set == SynthSet::kTrain ? "train" : set == SynthSet::kHeldOut ? "heldout" : "all";
}

std::string Manifest(const SynthOptions& o, const std::vector<std::string>& fonts) {
  const char* const levels[] = {"clean", "scan", "fax", "photo", "mixed"};
  const char* const formats[] = {"png", "jpeg", "pdf"};
  return OrderedJson({{"note", "Made up by galen data synth; no real patient."},
                      {"kind", o.kinds},
                      {"count", o.count},
                      {"seed", o.seed},
                      {"language", o.language},
                      {"units", o.units},
                      {"fonts", SetName(o.fonts)},
                      {"layouts", SetName(o.layouts)},
                      {"level", levels[static_cast<int>(o.level)]},
                      {"format", formats[static_cast<int>(o.format)]},
                      {"long_side", o.long_side},
                      {"size", {o.width, o.height}},
                      {"gray", o.gray},
                      {"one_page", o.one_page},
                      {"rows", {o.min_rows, o.max_rows}},
                      {"strip", o.strip},
                      {"lines", o.lines},
                      {"words", o.words},
                      {"transcripts", o.transcripts},
                      {"scramble", o.scramble},
                      {"font_families", fonts}})
             .dump(1) +
         "\n";
}

}  // namespace

Result<SynthSummary> RunSynth(const SynthOptions& options, const SynthOutput& output,
                              const std::function<bool(int64_t done)>& progress) {
  RETURN_IF_ERROR(CheckSynthOptions(options));
  if (output.threads < 1 || output.threads > 1024)
    return InvalidArgument("--threads is " + std::to_string(output.threads) +
                           ", allowed are 1 to 1024");
  const auto begin = std::chrono::steady_clock::now();
  PartialFolder folder;
  RETURN_IF_ERROR(folder.Create(output.directory));
  SynthSink sink(output, folder.path(), progress);
  RETURN_IF_ERROR(sink.Open());
  const auto workers = static_cast<int>(std::min<int64_t>(output.threads, options.count));
  RETURN_IF_ERROR(workers == 1 ? WorkHere(options, &sink)
                               : WorkInChildren(options, workers, &sink));
  RETURN_IF_ERROR(sink.Close());
  RETURN_IF_ERROR(WriteWhole(folder.path() + "/synth.json", Manifest(options, sink.fonts())));
  RETURN_IF_ERROR(folder.Commit());
  SynthSummary summary = sink.summary();
  summary.fonts = sink.fonts();
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return summary;
}

}  // namespace galen
