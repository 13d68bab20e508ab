// Answers kept in a file while a long case is read, so that a run that was stopped, killed or cut
// from power is taken up where it was. The file holds what the pages say: its owner alone may read
// it, and it is removed when the case has been read.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "extract/answer/reader.h"

namespace galen::extract {

class AnswerFile {
 public:
  // Begins the file or reads what is there; a last line that was cut off counts as missing.
  // of_case: what the answers are about, of letters and digits. InvalidArgument: another run has it
  // open, it is about something else, or it is no such file.
  static Result<std::unique_ptr<AnswerFile>> Open(const std::string& path,
                                                  const std::string& of_case);

  // Null: not there.
  const std::vector<Answer>* Find(const std::string& key) const;
  // On the disk when this returns.
  Status Add(const std::string& key, const std::vector<Answer>& answers);
  Status Remove();

 private:
  std::string path_;
  Fd fd_;                            // locked
  uint64_t device_ = 0, inode_ = 0;  // another file may have taken the name
  std::map<std::string, std::vector<Answer>> answers_;
};

// A reader that asks `reader` only what the file does not have. Both must outlive it.
class KeptReader : public Reader {
 public:
  // settings: what else an answer depends on, such as the program's version and the resolution of
  // pages.
  KeptReader(Reader* reader, AnswerFile* file, std::string settings);
  ReaderIdentity identity() const override { return reader_->identity(); }
  size_t MostPages() const override { return reader_->MostPages(); }
  // Fails as the reader and AnswerFile::Add do.
  Result<std::vector<Answer>> Read(const ReadRequest& request) override;
  int64_t pages_found() const { return pages_found_; }

 private:
  Reader* reader_;
  AnswerFile* file_;
  std::string settings_;
  int64_t pages_found_ = 0;
};

}  // namespace galen::extract
