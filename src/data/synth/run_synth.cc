#include "data/synth/run_synth.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "text/template/chat_template.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

Status WriteError(const std::string& path, int error) {
  return IoError("writing " + path + ": " + std::strerror(error) +
                 (error == ENOSPC ? "; free some space or choose another --out" : ""));
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

// Whole files and files of lines; the first error stays.
class LineFile {
 public:
  Status Open(const std::string& path) {
    path_ = path;
    file_.reset(std::fopen(path.c_str(), "wb"));
    return file_ == nullptr ? WriteError(path, errno) : OkStatus();
  }
  Status Write(const std::string& bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size())
      return WriteError(path_, errno);
    return OkStatus();
  }
  Status Close() {
    return std::fclose(file_.release()) != 0 ? WriteError(path_, errno) : OkStatus();
  }

 private:
  std::string path_;
  std::unique_ptr<std::FILE, CloseFile> file_;
};

Status WriteWhole(const std::string& path, const std::string& bytes) {
  LineFile file;
  RETURN_IF_ERROR(file.Open(path));
  RETURN_IF_ERROR(file.Write(bytes));
  return file.Close();
}

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
                      {"font_families", fonts}})
             .dump(1) +
         "\n";
}

// What all threads share.
class Job {
 public:
  Job(const SynthOptions& options, const SynthOutput& output, const PartialFolder& folder,
      const std::function<bool(int64_t)>& progress)
      : options_(options), output_(output), folder_(folder), progress_(progress) {}

  Status Open() {
    RETURN_IF_ERROR(truth_.Open(folder_.path() + "/truth.jsonl"));
    if (output_.samples) RETURN_IF_ERROR(samples_.Open(folder_.path() + "/samples.jsonl"));
    return OkStatus();
  }
  void Work(SynthGenerator* generator) {
    while (!stop_.load()) {
      const int64_t index = next_.fetch_add(1);
      if (index >= options_.count) return;
      Status status;
      try {
        status = One(generator, index);
      } catch (const std::bad_alloc&) {
        status = ResourceExhausted("no memory for document " + std::to_string(index));
      }
      if (status.ok()) continue;
      const std::lock_guard lock(mutex_);
      if (status_.ok()) status_ = status;
      stop_.store(true);
    }
  }
  Status Finish(SynthSummary* summary) {
    RETURN_IF_ERROR(status_);
    RETURN_IF_ERROR(truth_.Close());
    if (output_.samples) RETURN_IF_ERROR(samples_.Close());
    *summary = summary_;
    return OkStatus();
  }

 private:
  Status One(SynthGenerator* generator, int64_t index) {
    ASSIGN_OR_RETURN(SynthFiles made, generator->Make(index));
    int64_t bytes = 0;
    for (const SynthFiles::File& file : made.files) {
      RETURN_IF_ERROR(WriteWhole(folder_.path() + "/" + file.name, file.bytes));
      bytes += static_cast<int64_t>(file.bytes.size());
    }
    const std::lock_guard lock(mutex_);
    summary_.documents += 1;
    summary_.pages += made.pages;
    summary_.files += static_cast<int64_t>(made.files.size());
    summary_.bytes += bytes;
    waiting_[index] = {std::move(made.truth), std::move(made.sample)};
    // Lines in the order of the documents.
    for (auto at = waiting_.find(written_); at != waiting_.end(); at = waiting_.find(written_)) {
      RETURN_IF_ERROR(truth_.Write(at->second.first + "\n"));
      if (output_.samples) RETURN_IF_ERROR(samples_.Write(at->second.second + "\n"));
      waiting_.erase(at);
      ++written_;
    }
    if (!progress_(summary_.documents))
      return Cancelled("stopped; nothing was kept of " + output_.directory);
    return OkStatus();
  }

  const SynthOptions& options_;
  const SynthOutput& output_;
  const PartialFolder& folder_;
  const std::function<bool(int64_t)>& progress_;
  std::atomic<int64_t> next_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;  // of all below
  Status status_;
  SynthSummary summary_;
  LineFile truth_, samples_;
  std::map<int64_t, std::pair<std::string, std::string>> waiting_;
  int64_t written_ = 0;
};

}  // namespace

Result<SynthSummary> RunSynth(const SynthOptions& options, const SynthOutput& output,
                              const std::function<bool(int64_t done)>& progress) {
  RETURN_IF_ERROR(CheckSynthOptions(options));
  if (output.threads < 1 || output.threads > 1024)
    return InvalidArgument("--threads is " + std::to_string(output.threads) +
                           ", allowed are 1 to 1024");
  const auto begin = std::chrono::steady_clock::now();
  // The first generator also says whether there are fonts, before a folder is made.
  std::vector<std::unique_ptr<SynthGenerator>> generators;
  for (int i = 0; i < output.threads && i < options.count; ++i) {
    ASSIGN_OR_RETURN(auto generator, SynthGenerator::Create(options));
    generators.push_back(std::move(generator));
  }
  const std::vector<std::string> fonts = generators[0]->FontNames();
  PartialFolder folder;
  RETURN_IF_ERROR(folder.Create(output.directory));
  RETURN_IF_ERROR(WriteWhole(folder.path() + "/synth.json", Manifest(options, fonts)));
  Job job(options, output, folder, progress);
  RETURN_IF_ERROR(job.Open());
  std::vector<std::thread> threads;
  try {
    for (size_t i = 1; i < generators.size(); ++i)
      threads.emplace_back([&job, &generators, i] { job.Work(generators[i].get()); });
  } catch (const std::system_error&) {  // no more threads: those that there are do the work
  }
  job.Work(generators[0].get());
  for (std::thread& thread : threads) thread.join();
  SynthSummary summary;
  RETURN_IF_ERROR(job.Finish(&summary));
  RETURN_IF_ERROR(folder.Commit());
  summary.fonts = fonts;
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return summary;
}

}  // namespace galen
