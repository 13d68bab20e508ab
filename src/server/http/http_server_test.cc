#include "server/http/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace galen::server {
namespace {

// Hands the reply of each request to the test, which answers.
class Handler : public HttpHandler {
 public:
  std::optional<HttpResponse> Admit(const RequestHead&, Tenant*) override { return std::nullopt; }
  void Handle(std::shared_ptr<const HttpRequest>, std::shared_ptr<Reply> reply) override {
    const std::lock_guard lock(mutex_);
    reply_ = std::move(reply);
    changed_.notify_all();
  }
  HttpResponse Error(const std::string&, int status, const std::string&) override {
    HttpResponse response;
    response.status = status;
    return response;
  }
  void Done(const Exchange& exchange) override {
    const std::lock_guard lock(mutex_);
    done_ = exchange;
    changed_.notify_all();
  }
  void Draining() override {}

  std::shared_ptr<Reply> WaitForReply() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return reply_ != nullptr; });
    return std::exchange(reply_, nullptr);
  }
  Exchange WaitForEnd() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_.has_value(); });
    const Exchange done = *done_;
    done_.reset();
    return done;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<Reply> reply_;
  std::optional<Exchange> done_;
};

class HttpServerTest : public testing::Test {
 protected:
  // An hour: only what is sent tells that a client has left.
  explicit HttpServerTest(std::chrono::milliseconds gone_check = std::chrono::hours(1)) {
    HttpOptions options;
    options.port = 0;
    options.gone_check = gone_check;
    server_ = *HttpServer::Create(options, &handler_);
    thread_ = std::thread([this] { server_->Run(); });
  }
  ~HttpServerTest() override {
    server_->Stop();
    thread_.join();
  }

  int Ask() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(server_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    const std::string request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    EXPECT_EQ(::send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
    return fd;
  }
  static void ReadUntil(int fd, const std::string& mark) {
    std::string got;
    char piece[4096];
    while (got.find(mark) == std::string::npos) {
      const ssize_t n = ::recv(fd, piece, sizeof(piece), 0);
      ASSERT_GT(n, 0) << got;
      got.append(piece, static_cast<size_t>(n));
    }
  }
  // The reply to the request on fd, once the client has its first piece.
  std::shared_ptr<Reply> BeginWith(const std::string& piece, int fd) {
    const std::shared_ptr<Reply> reply = handler_.WaitForReply();
    reply->Begin({});
    reply->Write(piece);
    ReadUntil(fd, piece + "\r\n");  // as a chunk
    return reply;
  }
  // With a reset, so that the server's next write fails.
  static void HangUp(int fd) {
    const linger now{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    ::close(fd);
  }

  Handler handler_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

TEST_F(HttpServerTest, WhoHangsUpAfterTheLastContentWasAnswered) {
  const int fd = Ask();
  const std::shared_ptr<Reply> reply = BeginWith("data: [DONE]\n\n", fd);
  HangUp(fd);
  reply->End();  // nothing but the mark of the end is left to send
  EXPECT_FALSE(handler_.WaitForEnd().client_left);
}

TEST_F(HttpServerTest, WhoHangsUpBeforeTheLastContentHasLeft) {
  const int fd = Ask();
  const std::shared_ptr<Reply> reply = BeginWith("data: 1\n\n", fd);
  HangUp(fd);
  reply->End("data: [DONE]\n\n");
  EXPECT_TRUE(handler_.WaitForEnd().client_left);
}

TEST_F(HttpServerTest, ASlowReaderGetsAllPiecesInOrder) {
  const int fd = Ask();
  const std::shared_ptr<Reply> reply = BeginWith("first", fd);
  // More than socket buffers hold, so that some of it is left to the connection.
  std::string all;
  for (int i = 0; i < 3000; ++i) {
    const std::string piece = std::to_string(i) + std::string(4000, 'x') + ";";
    all += piece;
    reply->Write(piece);
  }
  reply->End("last");
  all += "last";
  std::string got, body;
  std::vector<char> bytes(1 << 16);
  while (!got.ends_with("\r\n0\r\n\r\n")) {
    const ssize_t n = ::recv(fd, bytes.data(), bytes.size(), 0);
    ASSERT_GT(n, 0);
    got.append(bytes.data(), static_cast<size_t>(n));
  }
  for (size_t at = 0; at < got.size();) {
    const size_t line = got.find("\r\n", at);
    const size_t size = std::stoul(got.substr(at, line - at), nullptr, 16);
    body += got.substr(line + 2, size);
    at = line + 2 + size + 2;
  }
  EXPECT_TRUE(body == all);
  const Exchange exchange = handler_.WaitForEnd();
  EXPECT_FALSE(exchange.client_left);
  EXPECT_GT(exchange.sent_bytes, static_cast<int64_t>(got.size()));
  ::close(fd);
}

TEST_F(HttpServerTest, WhoHangsUpIsSeenByThoseWhoSendPieces) {
  const int fd = Ask();
  const std::shared_ptr<Reply> reply = BeginWith("data: 1\n\n", fd);
  HangUp(fd);
  std::atomic<bool> gone{false};
  reply->OnGone([&] { gone = true; });
  for (int i = 0; i < 1000 && !gone; ++i) {
    reply->Write("data: 2\n\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(gone);
  EXPECT_TRUE(handler_.WaitForEnd().client_left);
}

class WatchfulHttpServerTest : public HttpServerTest {
 protected:
  WatchfulHttpServerTest() : HttpServerTest(std::chrono::milliseconds(5)) {}
};

TEST_F(WatchfulHttpServerTest, WhatWasSentToAClientThatLeftIsCounted) {
  const int fd = Ask();
  const std::shared_ptr<Reply> reply = BeginWith("data: 1\n\n", fd);
  constexpr int kPieces = 100;
  const std::string piece(500, 'x');
  for (int i = 0; i < kPieces; ++i) {
    reply->Write(piece + std::to_string(i) + ";");
    ReadUntil(fd, std::to_string(i) + ";");
  }
  ::shutdown(fd, SHUT_WR);
  const Exchange exchange = handler_.WaitForEnd();
  EXPECT_TRUE(exchange.client_left);
  EXPECT_GT(exchange.sent_bytes, kPieces * static_cast<int64_t>(piece.size()));
  ::close(fd);
}

}  // namespace
}  // namespace galen::server
