#include "http/http_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>

#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/fd.h"
#include "http/public_address.h"

namespace galen {
namespace {

// Listens on loopback; answers one connection at a time with the same text.
class LocalSite {
 public:
  LocalSite() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    GALEN_CHECK(::bind(listener_.fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
    GALEN_CHECK(::listen(listener_.fd, 8) == 0);
    GALEN_CHECK(::getsockname(listener_.fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    origin_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~LocalSite() {
    ::shutdown(listener_.fd, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  void Serve(std::string head, std::string body) {
    thread_ = std::thread([this, text = "HTTP/1.1 " + head + "\r\nConnection: close\r\n" +
                                        "Content-Length: " + std::to_string(body.size()) +
                                        "\r\n\r\n" + body] {
      while (true) {
        const Fd connection(::accept(listener_.fd, nullptr, nullptr));
        if (connection.fd < 0) return;
        char buffer[4096];
        if (::recv(connection.fd, buffer, sizeof buffer, 0) <= 0) continue;
        (void)::send(connection.fd, text.data(), text.size(), MSG_NOSIGNAL);
      }
    });
  }
  const std::string& origin() const { return origin_; }
  // Somebody has connected whom nobody serves.
  bool knocked() const {
    pollfd poll{listener_.fd, POLLIN, 0};
    return ::poll(&poll, 1, 100) > 0;
  }

 private:
  const Fd listener_;
  std::string origin_;
  std::thread thread_;
};

HttpResult Redirected(const std::string& from, Result<RedirectTo> policy,
                      std::vector<std::string>* asked = nullptr) {
  for (const char* name : {"http_proxy", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
  HttpOptions options;
  options.connect_seconds = 5;
  options.may_redirect = [&](const std::string& first, const std::string& next) {
    if (asked != nullptr) *asked = {first, next};
    return policy;
  };
  HttpClient http(options);
  HttpGet get;
  get.url = from + "/x";
  return http.Get(get);
}

TEST(Redirects, LeadWhereTheyMay) {
  LocalSite first, second, unserved;
  second.Serve("200 OK", "there");
  first.Serve("302 Found\r\nLocation: " + second.origin() + "/y", "");
  std::vector<std::string> asked;
  HttpResult result = Redirected(first.origin(), RedirectTo::kAnyAddress, &asked);
  ASSERT_TRUE(result.status.ok()) << result.status.message();
  EXPECT_EQ(result.response.body, "there");
  EXPECT_EQ(asked, (std::vector<std::string>{first.origin(), second.origin()}));

  LocalSite third;
  third.Serve("302 Found\r\nLocation: " + unserved.origin() + "/y?secret=1", "");
  result = Redirected(third.origin(), InvalidArgument("nobody has allowed it"));
  EXPECT_EQ(result.status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(result.status.message().find(unserved.origin()), std::string::npos);
  EXPECT_NE(result.status.message().find("nobody has allowed it"), std::string::npos);
  EXPECT_EQ(result.status.message().find("secret"), std::string::npos);
  EXPECT_FALSE(unserved.knocked());
}

TEST(Redirects, NoPrivateAddressIsConnectedTo) {
  LocalSite first, inside;
  const std::string port = inside.origin().substr(inside.origin().rfind(':'));
  first.Serve("302 Found\r\nLocation: http://localhost" + port + "/y", "");  // a name of it
  const HttpResult result = Redirected(first.origin(), RedirectTo::kPublicAddress);
  EXPECT_EQ(result.status.code(), StatusCode::kInvalidArgument) << result.status.message();
  EXPECT_NE(result.status.message().find("public internet"), std::string::npos);
  EXPECT_FALSE(result.transient);
  EXPECT_FALSE(inside.knocked());
}

TEST(PublicAddress, Tables) {
  const auto is_public = [](const char* text) {
    sockaddr_storage storage{};
    auto* four = reinterpret_cast<sockaddr_in*>(&storage);
    auto* six = reinterpret_cast<sockaddr_in6*>(&storage);
    if (::inet_pton(AF_INET, text, &four->sin_addr) == 1) {
      four->sin_family = AF_INET;
    } else {
      GALEN_CHECK(::inet_pton(AF_INET6, text, &six->sin6_addr) == 1);
      six->sin6_family = AF_INET6;
    }
    return IsPublicAddress(reinterpret_cast<const sockaddr*>(&storage));
  };
  for (const char* text : {"8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1",
                           "192.169.0.1", "223.255.255.255", "2606:4700::1111", "2a00::1",
                           "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"})
    EXPECT_TRUE(is_public(text)) << text;
  for (const char* text :
       {"0.0.0.0",         "10.1.2.3",        "100.64.0.1",      "127.0.0.1",   "127.255.0.1",
        "169.254.169.254", "172.16.0.1",      "172.31.255.255",  "192.168.1.1", "192.0.2.1",
        "198.18.0.1",      "224.0.0.1",       "255.255.255.255", "::",          "::1",
        "fe80::1",         "fc00::1",         "fd12::1",         "ff02::1",     "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1",  "2001:db8::1", "2001::1"})
    EXPECT_FALSE(is_public(text)) << text;
  sockaddr other{};
  other.sa_family = AF_UNIX;
  EXPECT_FALSE(IsPublicAddress(&other));
}

}  // namespace
}  // namespace galen
