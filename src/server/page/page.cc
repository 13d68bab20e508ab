// GET / and GET /ui/*: the page that people open. Its files come compressed, as they lie in the
// program; every browser takes that.
#include <algorithm>

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

const PageFile* FindFile(std::string_view name) {
  const std::vector<PageFile>& files = PageFiles();
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const PageFile& file) { return file.name == name; });
  return found == files.end() ? nullptr : &*found;
}

void SendFile(const PageFile& file, const HttpRequest& request, Reply* reply) {
  HttpResponse response;
  response.content_policy = kPolicy;
  response.cache_control = "no-cache";  // kept, but asked for each time, with its tag
  response.headers = {{"ETag", std::string(file.tag)},
                      {"Vary", "Accept, Accept-Encoding"},
                      {"Cross-Origin-Opener-Policy", "same-origin"},
                      {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"}};
  if (request.if_none_match.find(file.tag) != std::string::npos) {
    response.status = 304;
    response.content_type.clear();
  } else {
    response.content_type = std::string(file.content_type);
    response.headers.emplace_back("Content-Encoding", "gzip");
    response.body = std::string(file.gzip);
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
