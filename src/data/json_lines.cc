#include "data/json_lines.h"

#include <cstring>
#include <string_view>

#include "base/json.h"

namespace galen {
namespace {

constexpr uint64_t kLongestLine = uint64_t{256} << 20;

bool IsBlank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

Result<JsonLines> JsonLines::Open(const std::vector<std::string>& paths) {
  JsonLines data;
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(std::shared_ptr<MappedFile> file, MappedFile::Open(path));
    const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()),
                                file->bytes().size());
    const auto index = static_cast<uint32_t>(data.files_.size());
    uint64_t number = 0;
    for (size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0; at < text.size();) {
      const void* found = std::memchr(text.data() + at, '\n', text.size() - at);
      const size_t end = found == nullptr
                             ? text.size()
                             : static_cast<size_t>(static_cast<const char*>(found) - text.data());
      ++number;
      if (end - at > kLongestLine) {
        return InvalidArgument(path + ":" + std::to_string(number) +
                               ": a line of more than 256 MiB; is this JSON Lines?");
      }
      if (!IsBlank(text.substr(at, end - at))) {
        data.lines_.push_back({index, static_cast<uint32_t>(end - at), at, number});
      }
      at = end + 1;
    }
    file->DropPages(0, text.size());
    data.files_.push_back(std::move(file));
  }
  if (data.lines_.empty()) {
    return InvalidArgument((paths.empty() ? std::string("no file") : paths[0]) +
                           " holds no example; give JSON Lines with one example a line");
  }
  return data;
}

Result<OrderedJson> JsonLines::Parse(int64_t i) const {
  const Line& line = lines_[static_cast<size_t>(i)];
  const std::string_view text(
      reinterpret_cast<const char*>(files_[line.file]->bytes().data()) + line.offset, line.length);
  Result<OrderedJson> json = ParseOrderedJson(text);
  // The parser's message would quote the line.
  if (!json.ok()) return DataLoss(Name(i) + ": is no valid JSON");
  return json;
}

Result<Conversation> JsonLines::Read(int64_t i) const {
  ASSIGN_OR_RETURN(const OrderedJson json, Parse(i));
  Result<Conversation> conversation = ToConversation(json);
  if (!conversation.ok()) {
    return Status(conversation.status().code(), Name(i) + ": " + conversation.status().message());
  }
  return conversation;
}

std::string JsonLines::Name(int64_t i) const {
  const Line& line = lines_[static_cast<size_t>(i)];
  return files_[line.file]->path() + ":" + std::to_string(line.number);
}

std::string JsonLines::PathOf(int64_t i, const std::string& path) const {
  if (path.starts_with('/') || path.starts_with("data:")) return path;
  const std::string& file = files_[lines_[static_cast<size_t>(i)].file]->path();
  const size_t slash = file.rfind('/');
  return (slash == std::string::npos ? "./" : file.substr(0, slash + 1)) + path;
}

}  // namespace galen
