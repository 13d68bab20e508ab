// The parts of run_synth.cc: where made documents go, and who makes them.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "data/synth/run_synth.h"
#include "data/synth/synth.h"

namespace galen {

Status WriteError(const std::string& path, int error);

// A file under writing. Write and Close say what the operating system refused.
class LineFile {
 public:
  Status Open(const std::string& path);
  Status Write(const std::string& bytes);
  Status Close();

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_;
  std::unique_ptr<std::FILE, CloseFile> file_;
};
Status WriteWhole(const std::string& path, const std::string& bytes);

// A document whose pages are in the folder.
struct MadeDocument {
  int64_t index = 0, pages = 0, files = 0, bytes = 0;
  std::string truth, sample;
};
Result<MadeDocument> MakeDocument(SynthGenerator* generator, int64_t index,
                                  const std::string& folder);

// Takes documents in any order and writes their lines in that of their numbers. Of one thread.
class SynthSink {
 public:
  SynthSink(const SynthOutput& output, std::string folder,
            const std::function<bool(int64_t)>& progress)
      : output_(output), folder_(std::move(folder)), progress_(progress) {}

  const std::string& folder() const { return folder_; }
  const SynthSummary& summary() const { return summary_; }
  const std::vector<std::string>& fonts() const { return fonts_; }
  void set_fonts(std::vector<std::string> fonts) { fonts_ = std::move(fonts); }

  Status Open();
  // Cancelled: the caller of RunSynth wants to stop.
  Status Take(MadeDocument document);
  Status Close();

 private:
  const SynthOutput& output_;
  const std::string folder_;
  const std::function<bool(int64_t)>& progress_;
  std::vector<std::string> fonts_;
  SynthSummary summary_;
  LineFile truth_, samples_;
  std::map<int64_t, MadeDocument> waiting_;
  int64_t written_ = 0;
};

Status WorkHere(const SynthOptions& options, SynthSink* sink);
// In processes, not threads: cairo 1.16 opens font files outside of its locks
// (_cairo_ft_unscaled_font_lock_face), and two threads crash in FreeType. The children come from
// fork and die with this process.
Status WorkInChildren(const SynthOptions& options, int workers, SynthSink* sink);

}  // namespace galen
