// Options of the verbs that take images, pages, series and slides.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "recipes/apply.h"
#include "remote_study.h"

namespace galen::cli {

struct MediaCliOptions {
  std::vector<std::string> files;  // of any kind
  std::vector<std::string> images, dicom, pdf, volumes, slides;
  std::string recipe;
  std::string plane = "axial";
  int64_t series = -1;
  std::vector<double> window;
  MediaOptions media;
  std::vector<std::shared_ptr<const RemoteStudy>> remote;  // of FetchRemote

  bool any() const {
    return !files.empty() || !images.empty() || !dicom.empty() || !pdf.empty() ||
           !volumes.empty() || !slides.empty();
  }
};

// InvalidArgument: an option that none of the files can use (--plane without a volume), or any
// media option of `verb` where no file is named. What the files are is told by their first bytes;
// where one cannot be read, nothing is said.
Status CheckMediaUsage(const CLI::App& verb, const MediaCliOptions& options);

// Without the positional files and the seed: verbs differ in those.
void AddMediaOptions(CLI::App& verb, MediaCliOptions* options);
// The files in the order positional, images, DICOM, PDF, volumes, slides, each group as given.
std::vector<MediaFile> MediaFilesOf(const MediaCliOptions& options);
// Fetches what is named by "dicomweb:URL/studies/UID" among the files and DICOM files, and puts the
// folders in place of the names; they stay as long as options->remote.
Status FetchRemote(MediaCliOptions* options);
// After FetchRemote; messages and sources name what the user named.
Result<MediaInput> BuildInput(const MediaCliOptions& options);

}  // namespace galen::cli
