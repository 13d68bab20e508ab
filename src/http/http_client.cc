#include "http/http_client.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "http/public_address.h"

namespace galen {
namespace {

constexpr int kMaxRedirects = 10;
constexpr size_t kMaxHeaderBytes = size_t{256} << 10;
constexpr size_t kMaxErrorBody = size_t{64} << 10;

void InitCurl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

using Url = std::unique_ptr<CURLU, void (*)(CURLU*)>;

std::string Part(const Url& url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return "";
  std::string copy = text;
  curl_free(text);
  return copy;
}

// `location` as seen from `base`; empty: neither.
std::string Absolute(const std::string& base, const std::string& location) {
  const Url url(curl_url(), curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK) {
    return "";
  }
  return Part(url, CURLUPART_URL);
}

// The place of a URL without what may be secret in it: signatures stand in the query.
std::string Place(const std::string& url) { return url.substr(0, url.find('?')); }

bool IsTransient(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
      return true;
    default:
      return false;
  }
}

// What the request's messages call its URL.
std::string NameOf(const HttpGet& request, const std::string& url) {
  return request.shown.empty() ? Place(url) : request.shown;
}

std::string Advice(CURLcode code, bool hub) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
      return hub ? "; is this machine online? Proxies are named by HTTPS_PROXY and NO_PROXY, a "
                   "mirror of the hub by HF_ENDPOINT"
                 : "; does it run there? Proxies are named by HTTPS_PROXY and NO_PROXY";
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "; HTTPS_PROXY names the proxy";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return "; the server's certificate is not trusted: SSL_CERT_FILE names a file of further "
             "authorities (that of a proxy that opens TLS, for example)";
    default:
      return "";
  }
}

// Private authorities, as other programs of this trade take them.
const char* CertificateFile() {
  for (const char* name : {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"}) {
    if (const char* path = std::getenv(name); path != nullptr && *path != 0) return path;
  }
  return nullptr;
}

// As curl finds it, but for NO_PROXY: a proxy looks up names itself.
bool ProxyFor(const std::string& url) {
  const bool tls = url.starts_with("https://");
  for (const char* name :
       {tls ? "https_proxy" : "http_proxy", tls ? "HTTPS_PROXY" : "", "all_proxy", "ALL_PROXY"}) {
    if (*name == 0) continue;
    if (const char* proxy = std::getenv(name); proxy != nullptr && *proxy != 0) return true;
  }
  return false;
}

}  // namespace

std::string HttpResponse::Header(const std::string& name) const {
  const auto it = headers.find(name);
  return it == headers.end() ? "" : it->second;
}

struct HttpClient::Transfer {
  const HttpGet* request;
  const OnBegin* begin;
  const Sink* sink;
  const HttpOptions* options;
  CURL* curl;
  HttpResponse response;
  Status status;
  size_t header_bytes = 0;
  int64_t received = 0;
  bool begun = false;
  bool enough = false;      // of an error's body: the rest is not waited for
  bool not_public = false;  // an address was not connected to

  bool succeeded() const { return response.code >= 200 && response.code < 300; }

  Status Begin() {
    if (begun) return OkStatus();
    begun = true;
    long code = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    response.code = static_cast<int>(code);
    return succeeded() && *begin ? (*begin)(response) : OkStatus();
  }

  Status Take(std::span<const uint8_t> bytes) {
    RETURN_IF_ERROR(Begin());
    received += static_cast<int64_t>(bytes.size());
    if (!succeeded()) {
      const size_t room = kMaxErrorBody - std::min(kMaxErrorBody, response.body.size());
      response.body.append(reinterpret_cast<const char*>(bytes.data()),
                           std::min(room, bytes.size()));
      enough = bytes.size() > room;
      return OkStatus();
    }
    if (received > request->max_bytes) {
      return DataLoss(NameOf(*request, request->url) + " sends more than the " +
                      std::to_string(request->max_bytes) + " bytes that were expected");
    }
    if (*sink) return (*sink)(bytes);
    response.body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return OkStatus();
  }

  static size_t OnBody(char* data, size_t, size_t size, void* self) {
    auto* t = static_cast<Transfer*>(self);
    t->status = t->Take({reinterpret_cast<const uint8_t*>(data), size});
    return t->status.ok() && !t->enough ? size : CURL_WRITEFUNC_ERROR;
  }

  static size_t OnHeader(char* data, size_t, size_t size, void* self) {
    auto* t = static_cast<Transfer*>(self);
    t->header_bytes += size;
    if (t->header_bytes > kMaxHeaderBytes) {
      t->status = DataLoss(NameOf(*t->request, t->request->url) + " sends too many headers");
      return 0;
    }
    std::string_view line(data, size);
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
    if (line.starts_with("HTTP/")) t->response.headers.clear();
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return size;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
    });
    line.remove_prefix(colon + 1);
    while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    t->response.headers[name] = line;
    return size;
  }

  static curl_socket_t OnlyPublic(void* self, curlsocktype, curl_sockaddr* address) {
    if (IsPublicAddress(&address->addr)) {
      return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    }
    static_cast<Transfer*>(self)->not_public = true;
    return CURL_SOCKET_BAD;
  }

  static int OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto* t = static_cast<Transfer*>(self);
    if (!t->options->cancelled || !t->options->cancelled()) return 0;
    t->status = Cancelled("stopped");
    return 1;
  }
};

HttpClient::HttpClient(HttpOptions options)
    : options_(std::move(options)), curl_(nullptr, nullptr) {
  InitCurl();
  curl_ = {curl_easy_init(), [](void* curl) { curl_easy_cleanup(curl); }};
  GALEN_CHECK(curl_ != nullptr);
}

HttpClient::~HttpClient() = default;

HttpResult HttpClient::Once(const HttpGet& request, const std::string& url, bool with_token,
                            RedirectTo to, const std::map<std::string, std::string>& first_headers,
                            const OnBegin& begin, const Sink& sink) {
  CURL* curl = curl_.get();
  curl_easy_reset(curl);
  Transfer transfer{&request, &begin, &sink, &options_, curl, {}, {}, 0, 0, false, false, false};
  transfer.response.first_headers = first_headers;
  curl_slist* list = nullptr;
  for (const std::string& header : request.headers) list = curl_slist_append(list, header.c_str());
  if (with_token) {
    const std::string value =
        request.authorization.empty() ? "Bearer " + request.token : request.authorization;
    list = curl_slist_append(list, ("Authorization: " + value).c_str());
  }
  if (request.post != nullptr) list = curl_slist_append(list, "Expect:");
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(list, curl_slist_free_all);
  const std::string range = std::to_string(request.offset) + "-";
  char error[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, options_.user_agent.c_str());
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  // Only this machine gets a token without TLS: no proxy may read it.
  if ((with_token || request.confidential) && !OriginOf(url).starts_with("https://"))
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_NOBODY, request.head ? 1L : 0L);
  if (request.post != nullptr) {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.post->size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.post->data());
  }
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(options_.connect_seconds * 1000));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1024L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                   std::max(1L, static_cast<long>(std::ceil(options_.stall_seconds))));
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  if (request.offset > 0) curl_easy_setopt(curl, CURLOPT_RANGE, range.c_str());
  if (const char* file = CertificateFile()) curl_easy_setopt(curl, CURLOPT_CAINFO, file);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &Transfer::OnProgress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  if (to == RedirectTo::kPublicAddress && !ProxyFor(url)) {
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, &Transfer::OnlyPublic);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &transfer);
  }
  const CURLcode code = curl_easy_perform(curl);
  HttpResult result;
  if (code == CURLE_OK) transfer.status = transfer.Begin();
  result.response = std::move(transfer.response);
  result.response.url = url;
  if (!transfer.status.ok()) {
    result.status = std::move(transfer.status);
  } else if (code != CURLE_OK && transfer.not_public) {
    result.status =
        InvalidArgument(NameOf(request, url) +
                        " has an address that is not of the public internet; a redirect may lead "
                        "there only where that host is allowed by name");
  } else if (code != CURLE_OK && !transfer.enough) {
    // curl's own words have the address in them.
    const bool own = *error != 0 && request.shown.empty();
    const char* what = own ? error : curl_easy_strerror(code);
    result.status =
        IoError(NameOf(request, url) + ": " + what + Advice(code, request.shown.empty()));
    result.transient = IsTransient(code);
  }
  return result;
}

HttpResult HttpClient::Get(const HttpGet& request, const OnBegin& begin, const Sink& sink) {
  const std::string origin = OriginOf(request.url);
  HttpResult result;
  if (origin.empty()) {
    result.status = InvalidArgument(NameOf(request, request.url) + " is no URL of http or https");
    return result;
  }
  const bool may_send = origin.starts_with("https://") || IsLoopbackOrigin(origin);
  const bool secret = !request.token.empty() || !request.authorization.empty();
  if (secret && !may_send) {
    result.status = InvalidArgument(
        std::string(request.token.empty() ? "credentials are" : "the token is") + " not sent to " +
        origin + ": without TLS everybody on the way could read it; use https" +
        (request.token.empty() ? "" : ", or pull without a token"));
    return result;
  }
  std::string url = request.url;
  std::map<std::string, std::string> first;
  RedirectTo to_address = RedirectTo::kAnyAddress;
  for (int hop = 0; hop <= kMaxRedirects; ++hop) {
    const bool with_token = secret && OriginOf(url) == origin;
    result = Once(request, url, with_token, to_address, first, begin, sink);
    if (hop == 0) first = result.response.headers;
    const int code = result.response.code;
    const std::string location = result.response.Header("location");
    if (!result.status.ok() || !request.follow || request.post != nullptr || code < 300 ||
        code >= 400 || location.empty()) {
      return result;
    }
    const std::string next = Absolute(url, location);
    const std::string to = OriginOf(next);
    if (to.empty() || (url.starts_with("https://") && !to.starts_with("https://"))) {
      result.status = DataLoss(NameOf(request, url) + " redirects to " +
                               (to.empty() ? "no URL of http or https" : to + ", without TLS"));
      return result;
    }
    if (options_.may_redirect) {
      const Result<RedirectTo> allowed = options_.may_redirect(origin, to);
      if (!allowed.ok()) {
        result.status = allowed.status().WithContext(NameOf(request, url) + " redirects to " + to);
        return result;
      }
      to_address = *allowed;
    }
    url = next;
  }
  result.status = DataLoss(NameOf(request, request.url) + " redirects in a circle");
  return result;
}

HttpResult HttpClient::GetPatiently(const HttpGet& request) {
  for (int attempt = 0;; ++attempt) {
    HttpResult result = Get(request);
    const bool again =
        result.status.ok() ? IsTransientCode(result.response.code) : result.transient;
    if (!again || attempt >= options_.retries) return result;
    if (!Pause(RetryPause(attempt, result.response))) {
      result.status = Cancelled("stopped");
      return result;
    }
  }
}

bool HttpClient::Pause(double seconds) const {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
    if (options_.cancelled && options_.cancelled()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return !options_.cancelled || !options_.cancelled();
}

bool IsTransientCode(int code) {
  return code == 408 || code == 429 || code == 500 || code == 502 || code == 503 || code == 504;
}

double RetryPause(int attempt, const HttpResponse& response) {
  const std::string after = response.Header("retry-after");
  if (!after.empty() && after.size() < 6 &&
      after.find_first_not_of("0123456789") == std::string::npos) {
    return std::min(60.0, static_cast<double>(std::stoi(after)));
  }
  return 0.5 * std::pow(2.0, std::min(attempt, 6));
}

std::string OriginOf(const std::string& text) {
  const Url url(curl_url(), curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return "";
  const std::string scheme = Part(url, CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return "";
  std::string host = Part(url, CURLUPART_HOST);
  std::transform(host.begin(), host.end(), host.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
  });
  return scheme + "://" + host + ":" + Part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

bool HasCredentials(const std::string& text) {
  const Url url(curl_url(), curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return false;
  for (const CURLUPart part : {CURLUPART_USER, CURLUPART_PASSWORD}) {
    char* found = nullptr;
    if (curl_url_get(url.get(), part, &found, 0) == CURLUE_OK) {
      curl_free(found);
      return true;
    }
  }
  return false;
}

bool IsLoopbackOrigin(const std::string& origin) {
  const size_t begin = origin.find("://");
  if (begin == std::string::npos) return false;
  const std::string host = origin.substr(begin + 3, origin.rfind(':') - begin - 3);
  return host == "localhost" || host == "[::1]" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

}  // namespace galen
