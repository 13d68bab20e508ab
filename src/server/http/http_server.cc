#include "server/http/http_server.h"

#include <poll.h>

#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <mutex>
#include <set>
#include <vector>

#include "server/http/socket_writer.h"
#include "server/http/wire.h"

namespace galen::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using Parser = http::request_parser<http::string_body>;
using Error = boost::system::error_code;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kLinger{2'000};
constexpr size_t kLingerBytes = 4 << 20;
constexpr std::chrono::seconds kAfterDrain{5};
constexpr size_t kSinkPiece = 1 << 20;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// What ill-formed or too large input is answered with; 0: the connection is closed.
int StatusOf(const Error& error) {
  if (error == http::error::body_limit) return 413;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error == http::error::bad_version) return 505;
  if (error == http::error::end_of_stream || error == http::error::partial_message) return 0;
  if (error.category() == http::make_error_code(http::error::bad_method).category()) return 400;
  return 0;
}

const char* TextOf(int status) {
  switch (status) {
    case 413:
      return "the body is larger than this server allows";
    case 431:
      return "the headers are larger than this server allows";
    case 505:
      return "this server speaks HTTP/1.0 and HTTP/1.1";
    default:
      return "this is no well-formed HTTP request";
  }
}

// On the thread that the executor of co_spawn says.
asio::awaitable<Status> WriteTo(BodySink* sink, std::string_view bytes) {
  try {
    co_return sink->Write(bytes);
  } catch (const std::exception&) {
    co_return Status(StatusCode::kIo, "an internal error");
  }
}

int StatusOfSink(const Status& status) {
  if (status.code() == StatusCode::kInvalidArgument) return 400;
  if (status.code() == StatusCode::kCancelled) return 503;
  return status.code() == StatusCode::kResourceExhausted ? 507 : 500;
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const HttpOptions& options, HttpHandler* handler)
      : options_(options),
        handler_(*handler),
        acceptor_(context_),
        signals_(context_),
        hangups_(context_) {}

  Status Listen();
  void Run();
  void Stop() {
    asio::post(context_, [this] { Drain(); });
  }
  Status ReloadCertificate();
  int port() const { return acceptor_port_; }
  int64_t connections() const { return open_.load(std::memory_order_relaxed); }

 private:
  // What the coroutine of a connection sleeps on while its answer is made. Of the server's thread.
  struct Wake {
    explicit Wake(asio::io_context& context)
        : timer(context, asio::steady_timer::time_point::max()) {}
    void Come() {
      came = true;
      timer.cancel();
    }
    asio::steady_timer timer;
    bool came = false;  // also while bytes are being sent
  };

  // An open connection. The coroutine that serves it owns the object.
  struct Connection {
    Connection(Impl* owner, tcp::socket* socket)
        : impl(owner), plain(socket), wake(std::make_shared<Wake>(owner->context_)) {
      impl->connections_.insert(this);
      impl->open_.fetch_add(1, std::memory_order_relaxed);
    }
    ~Connection() {
      Finish();
      impl->connections_.erase(this);
      impl->open_.fetch_sub(1, std::memory_order_relaxed);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void Charge(size_t bytes) {
      impl->body_bytes_ += static_cast<int64_t>(bytes) - charged;
      charged = static_cast<int64_t>(bytes);
    }
    // The request is over, whatever became of it.
    void Finish() {
      if (reply != nullptr) {
        reply->SetWake(nullptr);
        reply->ClientGone();
        reply = nullptr;
      }
      Charge(0);
    }

    Impl* impl;
    tcp::socket* plain;
    std::shared_ptr<Wake> wake;  // those who wake may outlive the connection
    bool idle = true;
    bool waits = false;  // for its answer
    bool left = false;   // the client, while the connection waited
    std::shared_ptr<Reply> reply;
    int64_t charged = 0;
  };

  asio::awaitable<void> Accept();
  asio::awaitable<void> LookForLeft();
  asio::awaitable<void> ServeTls(tcp::socket socket);
  template <typename Stream>
  asio::awaitable<void> Serve(Stream& stream);
  // True: the connection may be used again.
  template <typename Stream>
  asio::awaitable<bool> ServeOne(Stream& stream, beast::flat_buffer& buffer, Connection& connection,
                                 bool first);
  template <typename Stream>
  asio::awaitable<bool> Answer(Stream& stream, Connection& connection,
                               std::shared_ptr<const HttpRequest> request, Framing framing,
                               Exchange exchange);
  // Reads the body into the request's sink. False: the client has left. refusal: why not.
  template <typename Stream>
  asio::awaitable<bool> ReadIntoSink(Stream& stream, beast::flat_buffer& buffer, Parser& head,
                                     const HttpRequest& request,
                                     std::optional<HttpResponse>* refusal);
  template <typename Stream>
  asio::awaitable<bool> Send(Stream& stream, const std::string& bytes);
  // Answers and closes: what the client still sends is not read as a request.
  template <typename Stream>
  asio::awaitable<void> Refuse(Stream& stream, HttpResponse response);
  template <typename Stream>
  asio::awaitable<void> Close(Stream& stream);
  void Drain();
  void AwaitHangup();
  asio::awaitable<void> FinishDraining();
  std::string NextId();

  const HttpOptions options_;
  HttpHandler& handler_;
  std::mutex tls_mutex_;
  std::shared_ptr<asio::ssl::context> tls_;  // null: no TLS
  std::set<Connection*> connections_;
  std::atomic<int64_t> open_{0};
  int acceptor_port_ = 0;
  int64_t body_bytes_ = 0;
  uint64_t next_id_ = 0;
  std::array<char, 64 << 10> dropped_;  // what nobody reads any more, of all connections
  bool draining_ = false;
  // Behind all that connections touch when they end: destroying it destroys their coroutines.
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  asio::signal_set signals_, hangups_;
  asio::thread_pool disk_{1};  // ends before the coroutines whose bytes it writes
};

Status HttpServer::Impl::Listen() {
  const std::string where = options_.host + ":" + std::to_string(options_.port);
  Error error;
  const asio::ip::address address =
      asio::ip::make_address(options_.host == "localhost" ? "127.0.0.1" : options_.host, error);
  if (error)
    return InvalidArgument(where + ": '" + options_.host + "' is no IP address of this machine");
  const tcp::endpoint endpoint(address, static_cast<uint16_t>(options_.port));
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(1024, error);
  if (error) {
    return IoError("cannot listen on " + where + ": " + error.message() +
                   (error == asio::error::address_in_use
                        ? "; another program (Ollama?) may hold the port; choose one with --port"
                        : ""));
  }
  acceptor_port_ = acceptor_.local_endpoint().port();
  // Before anybody hears of the port: a signal that comes now waits for Run.
  if (options_.handle_signals) {
    signals_.add(SIGTERM);
    signals_.add(SIGINT);
    hangups_.add(SIGHUP);
  }
  return ReloadCertificate();
}

Status HttpServer::Impl::ReloadCertificate() {
  if (options_.tls_certificate.empty()) return OkStatus();
  Error error;
  const auto tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  tls->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                   asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                   asio::ssl::context::no_tlsv1_1);
  tls->use_certificate_chain_file(options_.tls_certificate, error);
  if (error) return IoError(options_.tls_certificate + ": " + error.message());
  tls->use_private_key_file(options_.tls_key, asio::ssl::context::pem, error);
  if (error) return IoError(options_.tls_key + ": " + error.message());
  const std::lock_guard lock(tls_mutex_);
  tls_ = tls;
  return OkStatus();
}

void HttpServer::Impl::AwaitHangup() {
  hangups_.async_wait([this](const Error& error, int) {
    if (error) return;
    handler_.Reload();
    AwaitHangup();
  });
}

void HttpServer::Impl::Run() {
  asio::co_spawn(context_, Accept(), asio::detached);
  asio::co_spawn(context_, LookForLeft(), asio::detached);
  if (options_.handle_signals) {
    AwaitHangup();
    signals_.async_wait([this](const Error& error, int) {
      if (error) return;
      Drain();
      signals_.async_wait([this](const Error& again, int) {
        if (!again) context_.stop();
      });
    });
  }
  context_.run();
}

void HttpServer::Impl::Drain() {
  if (draining_) return;
  draining_ = true;
  handler_.Draining();
  Error ignored;
  acceptor_.close(ignored);
  for (Connection* connection : connections_) {
    if (connection->idle) connection->plain->close(ignored);
  }
  asio::co_spawn(context_, FinishDraining(), asio::detached);
}

asio::awaitable<void> HttpServer::Impl::FinishDraining() {
  asio::steady_timer timer(context_);
  const Clock::time_point begin = Clock::now();
  bool cut = false;
  while (!connections_.empty()) {
    if (!cut && Clock::now() - begin > options_.drain_timeout) {
      cut = true;
      Error ignored;
      for (Connection* connection : connections_) {
        if (connection->reply != nullptr) connection->reply->ClientGone();
        connection->plain->close(ignored);
        connection->left = true;
        connection->wake->Come();
      }
    }
    if (Clock::now() - begin > options_.drain_timeout + kAfterDrain) break;
    timer.expires_after(std::chrono::milliseconds(20));
    co_await timer.async_wait(kToken);
  }
  context_.stop();
}

std::string HttpServer::Impl::NextId() {
  static const uint64_t base =
      static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  return HexId(base, ++next_id_);
}

asio::awaitable<void> HttpServer::Impl::Accept() {
  while (!draining_) {
    auto [error, socket] = co_await acceptor_.async_accept(kToken);
    if (draining_) co_return;
    if (error) {
      // Out of descriptors, most likely: wait for some to be closed.
      asio::steady_timer timer(context_, std::chrono::milliseconds(50));
      co_await timer.async_wait(kToken);
      continue;
    }
    Error ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.non_blocking(true, ignored);
    if (connections() >= options_.max_connections) continue;  // closes it
    if (!options_.tls_certificate.empty()) {
      asio::co_spawn(context_, ServeTls(std::move(socket)), asio::detached);
    } else {
      asio::co_spawn(
          context_,
          [this, socket = std::move(socket)]() mutable -> asio::awaitable<void> {
            beast::tcp_stream stream(std::move(socket));
            co_await Serve(stream);
          },
          asio::detached);
    }
  }
}

// Looks, for all connections at once, whether clients have left that wait for an answer.
asio::awaitable<void> HttpServer::Impl::LookForLeft() {
  asio::steady_timer timer(context_);
  std::vector<pollfd> sockets;
  std::vector<Connection*> waiting;
  while (true) {
    timer.expires_after(options_.gone_check);
    co_await timer.async_wait(kToken);
    sockets.clear(), waiting.clear();
    for (Connection* connection : connections_) {
      if (!connection->waits) continue;
      sockets.push_back({connection->plain->native_handle(), POLLRDHUP, 0});
      waiting.push_back(connection);
    }
    if (sockets.empty() || ::poll(sockets.data(), sockets.size(), 0) <= 0) continue;
    for (size_t i = 0; i < sockets.size(); ++i) {
      if ((sockets[i].revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) == 0) continue;
      waiting[i]->left = true;
      waiting[i]->wake->Come();
    }
  }
}

asio::awaitable<void> HttpServer::Impl::ServeTls(tcp::socket socket) {
  const std::shared_ptr<asio::ssl::context> tls = [this] {
    const std::lock_guard lock(tls_mutex_);
    return tls_;
  }();
  beast::ssl_stream<beast::tcp_stream> stream(beast::tcp_stream(std::move(socket)), *tls);
  {
    const Connection connection(this, &beast::get_lowest_layer(stream).socket());
    beast::get_lowest_layer(stream).expires_after(options_.header_timeout);
    auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::server, kToken);
    if (error) co_return;
  }
  co_await Serve(stream);
}

template <typename Stream>
asio::awaitable<void> HttpServer::Impl::Serve(Stream& stream) {
  Connection connection(this, &beast::get_lowest_layer(stream).socket());
  beast::flat_buffer buffer(static_cast<size_t>(options_.max_header_bytes) + (64 << 10));
  bool first = true;
  while (co_await ServeOne(stream, buffer, connection, first)) {
    first = false;
    connection.Finish();
    if (draining_) break;
  }
  connection.Finish();
  co_await Close(stream);
}

template <typename Stream>
asio::awaitable<bool> HttpServer::Impl::ServeOne(Stream& stream, beast::flat_buffer& buffer,
                                                 Connection& connection, bool first) {
  Parser parser;
  parser.header_limit(static_cast<uint32_t>(options_.max_header_bytes));
  parser.body_limit(boost::none);  // how much may come depends on what the head asks for
  beast::tcp_stream& lowest = beast::get_lowest_layer(stream);
  connection.idle = true;
  if (!first && buffer.size() == 0) {
    // A connection may rest for a while, but not in the middle of a request.
    lowest.expires_after(options_.idle_timeout);
    auto [error, bytes] = co_await stream.async_read_some(buffer.prepare(4096), kToken);
    if (error) co_return false;
    buffer.commit(bytes);
  }
  lowest.expires_after(options_.header_timeout);
  auto [header_error, header_bytes] =
      co_await http::async_read_header(stream, buffer, parser, kToken);
  connection.idle = false;
  const Clock::time_point begin = Clock::now();
  if (header_error) {
    const int status = StatusOf(header_error);
    if (status != 0) {
      co_await Refuse(stream, handler_.Error("", status, TextOf(status)));
      handler_.Done({nullptr, status, 0, SecondsSince(begin), false});
    }
    co_return false;
  }
  auto request = std::make_shared<HttpRequest>();
  Exchange exchange;
  exchange.request = request.get();
  const Status good = ReadHead(parser.get(), request.get());
  request->id = NextId();
  std::optional<HttpResponse> refusal;
  if (!good.ok()) {
    refusal = handler_.Error(request->path, 400, good.message());
  } else {
    refusal = handler_.Admit(*request, &request->tenant);
  }
  Framing framing;
  framing.keep_alive = parser.get().keep_alive();
  framing.head_only = request->method == "HEAD";
  framing.chunked = parser.get().version() >= 11;
  if (!refusal) request->sink = handler_.SinkOf(*request);
  const auto limit = static_cast<uint64_t>(request->sink != nullptr ? request->sink->max_bytes()
                                                                    : options_.max_body_bytes);
  if (!refusal && parser.content_length().value_or(0) > limit)
    refusal = handler_.Error(request->path, 413, TextOf(413));
  parser.body_limit(limit);
  if (!refusal && !parser.is_done()) {
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      if (!co_await Send(stream, go_on)) co_return false;
    }
    if (request->sink != nullptr &&
        !co_await ReadIntoSink(stream, buffer, parser, *request, &refusal)) {
      exchange.client_left = true;
      exchange.seconds = SecondsSince(begin);
      handler_.Done(exchange);
      co_return false;
    }
    lowest.expires_after(options_.body_timeout);
    while (request->sink == nullptr && !parser.is_done()) {
      auto [error, bytes] = co_await http::async_read_some(stream, buffer, parser, kToken);
      if (error) {
        const int status = StatusOf(error);
        if (status == 0) {
          exchange.client_left = true;
          exchange.seconds = SecondsSince(begin);
          handler_.Done(exchange);
          co_return false;
        }
        refusal = handler_.Error(request->path, status, TextOf(status));
        break;
      }
      connection.Charge(parser.get().body().size());
      if (body_bytes_ > options_.max_body_total) {
        refusal = handler_.Error(request->path, 503, "too many large requests at once; try later");
        refusal->headers.emplace_back("Retry-After", "1");
        break;
      }
    }
  }
  if (refusal) {
    if (framing.head_only) refusal->body.clear();
    exchange.status = refusal->status;
    exchange.sent_bytes = static_cast<int64_t>(refusal->body.size());
    refusal->headers.emplace_back("X-Request-Id", request->id);
    co_await Refuse(stream, *std::move(refusal));
    exchange.seconds = SecondsSince(begin);
    handler_.Done(exchange);
    co_return false;
  }
  framing.keep_alive = framing.keep_alive && !draining_;
  if (request->sink == nullptr) request->body = PatientText(std::move(parser.get().body()));
  connection.reply = std::make_shared<Reply>();
  handler_.Handle(request, connection.reply);
  exchange.seconds = SecondsSince(begin);
  co_return co_await Answer(stream, connection, std::move(request), framing, exchange);
}

template <typename Stream>
asio::awaitable<bool> HttpServer::Impl::Answer(Stream& stream, Connection& connection,
                                               std::shared_ptr<const HttpRequest> request,
                                               Framing framing, Exchange exchange) {
  const Clock::time_point begin = Clock::now();
  const std::shared_ptr<Reply> reply = connection.reply;
  const std::shared_ptr<Wake> wake = connection.wake;
  connection.left = false;
  reply->SetWake([this, wake] { asio::post(context_, [wake] { wake->Come(); }); });
  bool ended = false, sent_ok = true, unsent = false;
  while (!ended) {
    wake->came = false;
    Reply::Ready ready = reply->Take();
    ended = ready.ended;
    exchange.sent_bytes += ready.sent_bytes;
    if (ready.failed) {
      sent_ok = false;
      unsent = true;
      break;
    }
    const bool content = ready.head || !ready.rest.empty() || !ready.data.empty();
    std::string bytes = std::move(ready.rest);
    if (ready.head) {
      framing.streamed = ready.streamed;
      if (ready.streamed && !framing.chunked) framing.keep_alive = false;
      exchange.status = ready.head->status;
      ready.head->headers.emplace_back("X-Request-Id", request->id);
      bytes = HeadBytes(*ready.head, framing);
      if (!ready.streamed && !framing.head_only) bytes += ready.head->body;
    }
    if (framing.streamed) AddStreamBytes(ready.data, ended, framing, &bytes);
    if (!bytes.empty()) {
      exchange.sent_bytes += static_cast<int64_t>(bytes.size());
      sent_ok = co_await Send(stream, bytes);
      // A client that has all content may hang up without waiting for the mark of its end.
      unsent = !sent_ok && content;
      if (!sent_ok) break;
    }
    if (ended) break;
    if constexpr (std::is_same_v<Stream, beast::tcp_stream>) {
      if (ready.head && framing.streamed && !framing.head_only)
        reply->OfferSocket(SocketWriter(stream.socket().native_handle(), framing));
    }
    const auto left = [&] { return connection.left || reply->gone(); };
    if (!left()) {
      if (wake->came || !reply->Rest()) continue;
      connection.waits = true;
      co_await wake->timer.async_wait(kToken);
      connection.waits = false;
    }
    if (left()) {
      sent_ok = false;
      unsent = true;
      break;
    }
  }
  exchange.client_left = unsent;
  exchange.seconds += SecondsSince(begin);
  connection.Finish();
  exchange.sent_bytes += reply->Take().sent_bytes;  // what the answering side sent to the last
  handler_.Done(exchange);
  const bool again = sent_ok && framing.keep_alive;
  co_return again;
}

template <typename Stream>
asio::awaitable<bool> HttpServer::Impl::ReadIntoSink(Stream& stream, beast::flat_buffer& buffer,
                                                     Parser& head, const HttpRequest& request,
                                                     std::optional<HttpResponse>* refusal) {
  http::request_parser<http::buffer_body> parser(std::move(head));
  parser.body_limit(static_cast<uint64_t>(request.sink->max_bytes()));
  beast::tcp_stream& lowest = beast::get_lowest_layer(stream);
  std::string piece(kSinkPiece, '\0');
  while (!parser.is_done()) {
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    lowest.expires_after(options_.body_timeout);
    auto [error, bytes] = co_await http::async_read(stream, buffer, parser, kToken);
    if (error && error != http::error::need_buffer) {
      const int status = StatusOf(error);
      if (status == 0) co_return false;
      *refusal = handler_.Error(request.path, status, TextOf(status));
      co_return true;
    }
    lowest.expires_never();
    const std::string_view got(piece.data(), piece.size() - parser.get().body().size);
    asio::awaitable<Status> write = WriteTo(request.sink.get(), got);
    const Status written = co_await asio::co_spawn(disk_, std::move(write), asio::use_awaitable);
    if (!written.ok()) {
      *refusal = handler_.Error(request.path, StatusOfSink(written), written.message());
      co_return true;
    }
  }
  co_return true;
}

template <typename Stream>
asio::awaitable<bool> HttpServer::Impl::Send(Stream& stream, const std::string& bytes) {
  size_t begin = 0;
  if constexpr (std::is_same_v<Stream, beast::tcp_stream>) {
    // Most answers fit into the socket's buffer: no timer, no wait.
    Error refused;
    begin = stream.socket().write_some(asio::buffer(bytes), refused);
    if (begin == bytes.size()) co_return true;
    if (refused && refused != asio::error::would_block) co_return false;
  }
  beast::get_lowest_layer(stream).expires_after(options_.write_timeout);
  auto [error, sent] = co_await asio::async_write(
      stream, asio::buffer(bytes.data() + begin, bytes.size() - begin), kToken);
  co_return !error;
}

template <typename Stream>
asio::awaitable<void> HttpServer::Impl::Refuse(Stream& stream, HttpResponse response) {
  Framing framing;
  framing.keep_alive = false;
  const std::string bytes = HeadBytes(response, framing) + response.body;
  if (!co_await Send(stream, bytes)) co_return;
  // Closed at once, a connection with unread input would be reset and the answer lost.
  beast::tcp_stream& lowest = beast::get_lowest_layer(stream);
  Error ignored;
  lowest.socket().shutdown(tcp::socket::shutdown_send, ignored);
  lowest.expires_after(kLinger);
  for (size_t read = 0; read < kLingerBytes;) {
    auto [error, bytes_read] = co_await lowest.async_read_some(asio::buffer(dropped_), kToken);
    if (error) break;
    read += bytes_read;
  }
}

template <typename Stream>
asio::awaitable<void> HttpServer::Impl::Close(Stream& stream) {
  beast::tcp_stream& lowest = beast::get_lowest_layer(stream);
  if constexpr (!std::is_same_v<Stream, beast::tcp_stream>) {
    if (lowest.socket().is_open()) {
      lowest.expires_after(std::chrono::seconds(1));
      co_await stream.async_shutdown(kToken);
    }
  }
  Error ignored;
  lowest.socket().shutdown(tcp::socket::shutdown_both, ignored);
  lowest.close();
  co_return;
}

Result<std::unique_ptr<HttpServer>> HttpServer::Create(const HttpOptions& options,
                                                       HttpHandler* handler) {
  auto impl = std::make_unique<Impl>(options, handler);
  RETURN_IF_ERROR(impl->Listen());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;
int HttpServer::port() const { return impl_->port(); }
void HttpServer::Run() { impl_->Run(); }
void HttpServer::Stop() { impl_->Stop(); }
Status HttpServer::ReloadCertificate() { return impl_->ReloadCertificate(); }
int64_t HttpServer::connections() const { return impl_->connections(); }

}  // namespace galen::server
