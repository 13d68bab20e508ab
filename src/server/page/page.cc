// GET / and GET /ui/*: the page that people open. Its files go out compressed, as they lie in the
// program, to all who take that.
#include <algorithm>

#include "http/accept_encoding.h"
#include "media/volume/inflate.h"
#include "server/api/errors.h"
#include "server/endpoints.h"
#include "server/page/page_files.h"

namespace galen::server {
namespace {

// Nothing but this server's own files and answers; pictures are also made in the page (data: of
// documents' pages, blob: of what was dropped on it).
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

constexpr size_t kMostUnpacked = size_t{64} << 20;  // far above the largest file of the page

const PageFile* FindFile(std::string_view name) {
  const std::vector<PageFile>& files = PageFiles();
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const PageFile& file) { return file.name == name; });
  return found == files.end() ? nullptr : &*found;
}

void SendFile(const PageFile& file, const HttpRequest& request, Reply* reply) {
  const bool packed = PrefersGzip(request.accept_encoding);
  // Two codings of a file are two representations, each with a tag of its own.
  std::string tag(file.tag);
  if (!packed) tag.insert(tag.size() - 1, "-plain");
  HttpResponse response;
  response.content_policy = kPolicy;
  response.cache_control = "no-cache";  // kept, but asked for each time, with its tag
  response.headers = {{"ETag", tag},
                      {"Vary", "Accept, Accept-Encoding"},
                      {"Cross-Origin-Opener-Policy", "same-origin"},
                      {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"}};
  if (request.if_none_match.find(tag) != std::string::npos) {
    response.status = 304;
    response.content_type.clear();
  } else {
    response.content_type = std::string(file.content_type);
    if (packed) {
      response.headers.emplace_back("Content-Encoding", "gzip");
      response.body = std::string(file.gzip);
    } else {
      const auto* bytes = reinterpret_cast<const uint8_t*>(file.gzip.data());
      const Result<std::vector<uint8_t>> plain = Inflate({bytes, file.gzip.size()}, kMostUnpacked);
      GALEN_CHECK(plain.ok());  // the build packed it
      response.body.assign(plain->begin(), plain->end());
    }
  }
  reply->Send(std::move(response));
}

}  // namespace

// People get the page; programs, which do not ask for HTML, what Ollama's clients look for.
void Root(const Services& services, std::shared_ptr<const HttpRequest> request,
          std::shared_ptr<Reply> reply) {
  const PageFile* file =
      request->accept.find("text/html") != std::string::npos ? FindFile("index.html") : nullptr;
  if (file == nullptr) return OllamaRoot(services, std::move(request), std::move(reply));
  SendFile(*file, *request, reply.get());
}

void PageFileOf(const Services&, std::shared_ptr<const HttpRequest> request,
                std::shared_ptr<Reply> reply) {
  const PageFile* file = FindFile(PathParameter("/ui/*", request->path));
  if (file != nullptr) return SendFile(*file, *request, reply.get());
  ApiError error;
  error.status = 404;
  error.message = PageFiles().empty() ? "this galen was built without its page (GALEN_WEB=OFF)"
                                      : "the page has no such file";
  reply->Send(ErrorResponse(Dialect::kOpenAi, error));
}

}  // namespace galen::server
