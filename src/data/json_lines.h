// Files of JSON Lines, read where a line is wanted: only the places of the lines are kept, so the
// data may be larger than memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/status.h"
#include "data/conversation.h"

namespace galen {

// Immutable once opened; any thread may read.
class JsonLines {
 public:
  // Lines of all files in order; blank ones are not counted. NotFound: a file does not exist.
  // InvalidArgument: no line at all.
  static Result<JsonLines> Open(const std::vector<std::string>& paths);

  int64_t size() const { return static_cast<int64_t>(lines_.size()); }
  // The line as JSON. DataLoss: it is none; the message begins with Name(i) and quotes nothing.
  Result<OrderedJson> Parse(int64_t i) const;
  // The line as a conversation.
  // InvalidArgument or DataLoss: the line cannot be used; the message begins with Name(i) and holds
  // nothing of what the line says.
  Result<Conversation> Read(int64_t i) const;
  // "FILE:LINE", lines counted from 1.
  std::string Name(int64_t i) const;
  // A path that line i names: a relative one counts from the folder of the line's file.
  std::string PathOf(int64_t i, const std::string& path) const;

 private:
  struct Line {
    uint32_t file;
    uint32_t length;
    uint64_t offset;
    uint64_t number;
  };
  std::vector<std::shared_ptr<MappedFile>> files_;
  std::vector<Line> lines_;
};

}  // namespace galen
