#include <cerrno>
#include <cstring>
#include <new>

#include "data/synth/synth_workers.h"

namespace galen {

Status WriteError(const std::string& path, int error) {
  return IoError("writing " + path + ": " + std::strerror(error) +
                 (error == ENOSPC ? "; free some space or choose another --out" : ""));
}

Status LineFile::Open(const std::string& path) {
  path_ = path;
  file_.reset(std::fopen(path.c_str(), "wb"));
  return file_ == nullptr ? WriteError(path, errno) : OkStatus();
}

Status LineFile::Write(const std::string& bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size())
    return WriteError(path_, errno);
  return OkStatus();
}

Status LineFile::Close() {
  return std::fclose(file_.release()) != 0 ? WriteError(path_, errno) : OkStatus();
}

Status WriteWhole(const std::string& path, const std::string& bytes) {
  LineFile file;
  RETURN_IF_ERROR(file.Open(path));
  RETURN_IF_ERROR(file.Write(bytes));
  return file.Close();
}

Result<MadeDocument> MakeDocument(SynthGenerator* generator, int64_t index,
                                  const std::string& folder) {
  try {
    ASSIGN_OR_RETURN(SynthFiles made, generator->Make(index));
    MadeDocument document;
    document.index = index;
    document.pages = made.pages;
    for (const SynthFiles::File& file : made.files) {
      RETURN_IF_ERROR(WriteWhole(folder + "/" + file.name, file.bytes));
      document.files += 1;
      document.bytes += static_cast<int64_t>(file.bytes.size());
    }
    document.truth = std::move(made.truth);
    document.sample = std::move(made.sample);
    return document;
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("no memory for document " + std::to_string(index));
  }
}

Status SynthSink::Open() {
  RETURN_IF_ERROR(truth_.Open(folder_ + "/truth.jsonl"));
  if (output_.samples) RETURN_IF_ERROR(samples_.Open(folder_ + "/samples.jsonl"));
  return OkStatus();
}

Status SynthSink::Take(MadeDocument document) {
  summary_.documents += 1;
  summary_.pages += document.pages;
  summary_.files += document.files;
  summary_.bytes += document.bytes;
  const int64_t index = document.index;
  waiting_[index] = std::move(document);
  for (auto at = waiting_.find(written_); at != waiting_.end(); at = waiting_.find(written_)) {
    RETURN_IF_ERROR(truth_.Write(at->second.truth + "\n"));
    const std::string& sample = at->second.sample;
    if (output_.samples && !sample.empty()) RETURN_IF_ERROR(samples_.Write(sample + "\n"));
    waiting_.erase(at);
    ++written_;
  }
  if (!progress_(summary_.documents))
    return Cancelled("stopped; nothing was kept of " + output_.directory);
  return OkStatus();
}

Status SynthSink::Close() {
  RETURN_IF_ERROR(truth_.Close());
  return output_.samples ? samples_.Close() : OkStatus();
}

}  // namespace galen
