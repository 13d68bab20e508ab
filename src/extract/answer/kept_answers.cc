#include "extract/answer/kept_answers.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "base/json.h"
#include "base/sha256.h"
#include "extract/answer/leaves.h"

namespace galen::extract {
namespace {

constexpr std::string_view kHead = R"({"galen":"kept answers","version":1,"case":")";
constexpr size_t kMostBytes = size_t{1} << 30;

Status Fault(const std::string& path, const std::string& what) {
  return Status(StatusCode::kIo, path + ": " + what + ": " + std::strerror(errno));
}

Result<std::string> ReadAll(int fd, const std::string& path) {
  std::string text;
  std::vector<char> piece(size_t{1} << 16);
  while (true) {
    const ssize_t n = ::pread(fd, piece.data(), piece.size(), static_cast<off_t>(text.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fault(path, "cannot be read");
    if (n == 0) return text;
    if (text.size() + static_cast<size_t>(n) > kMostBytes) {
      return InvalidArgument(path + " has more than " + std::to_string(kMostBytes) + " bytes");
    }
    text.append(piece.data(), static_cast<size_t>(n));
  }
}

// A number that JSON has.
float Finite(float x) { return std::isfinite(x) ? x : std::numeric_limits<float>::lowest(); }

// Pages are numbered within the request: the same pages may be others of another case.
Json ToJson(const std::vector<Answer>& answers) {
  Json list = Json::array();
  for (const Answer& answer : answers) {
    Json tokens = Json::array();
    for (const TokenSpan& t : answer.tokens) tokens.push_back({t.begin, t.end, Finite(t.logprob)});
    Json one = {{"text", answer.text},
                {"tokens", tokens},
                {"complete", answer.complete},
                {"incomplete", answer.incomplete}};
    if (answer.read_at) {
      const Box& box = answer.read_at->box;
      one["read_at"] = {answer.read_at->page, box.x0, box.y0, box.x1, box.y1};
    }
    list.push_back(std::move(one));
  }
  return list;
}

// A number of a place that is no larger than `most`.
size_t Whole(const Json& json, size_t most) {
  if (!json.is_number_unsigned() || json.get<uint64_t>() > most) {
    throw std::out_of_range("a place");
  }
  return json.get<size_t>();
}
double Coordinate(const Json& json) {
  constexpr double kFarthest = 1e7;
  const double value = json.get<double>();
  if (!(std::abs(value) <= kFarthest)) throw std::out_of_range("a coordinate");
  return value;
}

// Throws Json::exception where the shape is another, std::out_of_range where a number makes no
// sense.
std::vector<Answer> FromJson(const Json& list) {
  constexpr size_t kMostPages = 1'000'000;
  if (!list.is_array() || list.empty()) throw std::out_of_range("answers");
  std::vector<Answer> answers;
  for (const Json& one : list) {
    Answer& answer = answers.emplace_back();
    answer.text = one.at("text").get<std::string>();
    const size_t size = answer.text.size();
    for (const Json& token : one.at("tokens").get_ref<const Json::array_t&>()) {
      const TokenSpan span = {Whole(token.at(0), size), Whole(token.at(1), size),
                              token.at(2).get<float>()};
      if (!(span.logprob <= 0) || span.begin > span.end) throw std::out_of_range("a token");
      answer.tokens.push_back(span);
    }
    answer.complete = one.at("complete").get<bool>();
    answer.incomplete = one.at("incomplete").get<bool>();
    if (const auto at = one.find("read_at"); at != one.end()) {
      answer.read_at = PagePart{Whole(at->at(0), kMostPages),
                                {Coordinate(at->at(1)), Coordinate(at->at(2)),
                                 Coordinate(at->at(3)), Coordinate(at->at(4))}};
    }
  }
  return answers;
}

// What the extraction will refuse is not worth keeping.
bool Usable(const std::vector<Answer>& answers) {
  return std::all_of(answers.begin(), answers.end(), [](const Answer& answer) {
    return answer.incomplete || ParseAnswer(answer.text).ok();
  });
}

std::string KeyOf(const ReaderIdentity& reader, const std::string& settings,
                  const ReadRequest& request) {
  Json pages = Json::array();
  const Case& source = *request.source;
  for (const size_t index : request.pages) {
    const SourcePage& page = source.pages()[index];
    const auto file = std::find_if(source.files().begin(), source.files().end(),
                                   [&](const Case::File& f) { return f.path == page.file; });
    Json words = Json::array();
    for (const PageWord& w : page.words) {
      words.push_back({w.text, w.box.x0, w.box.y0, w.box.x1, w.box.y1});
    }
    pages.push_back({file == source.files().end() ? "" : file->sha256, page.number, words});
  }
  const std::string text =
      Json::array({reader.digest, reader.architecture, reader.adapters, settings, request.kind,
                   request.instruction, request.schema, pages})
          .dump(-1, ' ', false, Json::error_handler_t::replace);
  return Sha256Hex({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

}  // namespace

Result<std::unique_ptr<AnswerFile>> AnswerFile::Open(const std::string& path,
                                                     const std::string& of_case) {
  const std::string head = std::string(kHead) + of_case + "\"}";
  std::unique_ptr<AnswerFile> file(new AnswerFile);
  file->path_ = path;
  file->fd_ = Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file->fd_.fd < 0) return Fault(path, "cannot be opened");
  struct stat about;
  if (::fstat(file->fd_.fd, &about) != 0) return Fault(path, "cannot be read");
  if (!S_ISREG(about.st_mode)) return InvalidArgument(path + " is no regular file");
  if (::flock(file->fd_.fd, LOCK_EX | LOCK_NB) != 0) {
    return InvalidArgument(path + ": another run keeps its answers there");
  }
  if (about.st_uid != ::geteuid()) return InvalidArgument(path + " is another user's");
  file->device_ = about.st_dev;
  file->inode_ = about.st_ino;
  ASSIGN_OR_RETURN(const std::string text, ReadAll(file->fd_.fd, path));
  const auto other = [&] {
    return InvalidArgument(path + " holds something else than kept answers; name another file");
  };
  size_t whole = 0;
  for (size_t end = text.find('\n'); end != text.npos; end = text.find('\n', whole)) {
    const std::string_view line = std::string_view(text).substr(whole, end - whole);
    if (whole == 0 && line != head) {
      if (!line.starts_with(kHead)) return other();
      return InvalidArgument(
          path +
          " holds the answers of another case, or of the same pages with another "
          "model or other options; name another file, or remove this one");
    }
    if (whole > 0) {
      const Result<Json> json = ParseJson(line);
      if (!json.ok()) return other();
      try {
        file->answers_[json->at("key").get<std::string>()] = FromJson(json->at("answers"));
      } catch (const std::exception&) {
        return other();
      }
    }
    whole = end + 1;
  }
  // What follows the last whole line was being written when the run ended. Anything else is left
  // alone.
  const std::string_view rest = std::string_view(text).substr(whole);
  if (whole == 0 && !head.starts_with(rest)) return other();
  // It holds what pages say, whoever made it.
  if (::fchmod(file->fd_.fd, 0600) != 0) return Fault(path, "its mode cannot be set");
  if (!rest.empty() && ::ftruncate(file->fd_.fd, static_cast<off_t>(whole)) != 0) {
    return Fault(path, "cannot be written");
  }
  if (whole == 0) {
    const std::string line = head + "\n";
    if (::write(file->fd_.fd, line.data(), line.size()) != std::ssize(line)) {
      return Fault(path, "cannot be written");
    }
  }
  return file;
}

const std::vector<Answer>* AnswerFile::Find(const std::string& key) const {
  const auto at = answers_.find(key);
  return at == answers_.end() ? nullptr : &at->second;
}

Status AnswerFile::Add(const std::string& key, const std::vector<Answer>& answers) {
  const std::string line = Json({{"key", key}, {"answers", ToJson(answers)}})
                               .dump(-1, ' ', false, Json::error_handler_t::replace) +
                           "\n";
  const off_t before = ::lseek(fd_.fd, 0, SEEK_END);
  for (size_t at = 0; at < line.size();) {
    const ssize_t n = ::write(fd_.fd, line.data() + at, line.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const Status status = Fault(path_, "cannot be written");
      // What was begun must not stand before what comes later.
      if (before >= 0 && ::ftruncate(fd_.fd, before) != 0) fd_.Close();
      return status;
    }
    at += static_cast<size_t>(n);
  }
  if (::fsync(fd_.fd) != 0) return Fault(path_, "cannot be written");
  answers_[key] = answers;
  return OkStatus();
}

Status AnswerFile::Remove() {
  struct stat there;
  const bool ours =
      ::lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ && there.st_ino == inode_;
  if (ours && ::unlink(path_.c_str()) != 0) return Fault(path_, "cannot be removed");
  return OkStatus();
}

KeptReader::KeptReader(Reader* reader, AnswerFile* file, std::string settings)
    : reader_(reader), file_(file), settings_(std::move(settings)) {}

Result<std::vector<Answer>> KeptReader::Read(const ReadRequest& request) {
  const std::string key = KeyOf(reader_->identity(), settings_, request);
  // To the request's own numbers of pages and back.
  if (const std::vector<Answer>* found = file_->Find(key)) {
    std::vector<Answer> answers = *found;
    bool whole = Usable(answers);
    for (Answer& answer : answers) {
      if (!answer.read_at) continue;
      whole = whole && answer.read_at->page < request.pages.size();
      if (whole) answer.read_at->page = request.pages[answer.read_at->page];
    }
    if (whole) {
      pages_found_ += std::ssize(request.pages);
      return answers;
    }
  }
  ASSIGN_OR_RETURN(std::vector<Answer> answers, reader_->Read(request));
  if (!Usable(answers)) return answers;  // to be asked again, not to fail the same way for ever
  std::vector<Answer> kept = answers;
  for (Answer& answer : kept) {
    if (!answer.read_at) continue;
    const auto at = std::find(request.pages.begin(), request.pages.end(), answer.read_at->page);
    answer.read_at->page = static_cast<size_t>(at - request.pages.begin());
  }
  RETURN_IF_ERROR(file_->Add(key, kept));
  return answers;
}

}  // namespace galen::extract
