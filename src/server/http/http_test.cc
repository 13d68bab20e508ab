#include <gtest/gtest.h>

#include "server/endpoints.h"
#include "server/http/wire.h"

namespace galen::server {
namespace {

TEST(Router, FindsByMethodAndPath) {
  const Router router(AllEndpoints());
  EXPECT_STREQ(router.Find("POST", "/v1/chat/completions").endpoint->path, "/v1/chat/completions");
  EXPECT_STREQ(router.Find("GET", "/v1/models/a/b:c").endpoint->path, "/v1/models/*");
  EXPECT_STREQ(router.Find("GET", "/v1/models").endpoint->path, "/v1/models");
  EXPECT_STREQ(router.Find("HEAD", "/").endpoint->path, "/");
  const Match wrong = router.Find("GET", "/v1/chat/completions");
  EXPECT_EQ(wrong.endpoint, nullptr);
  EXPECT_EQ(wrong.allowed, std::vector<std::string>{"POST"});
  for (const char* path : {"/v1/models/", "/nothing", "", "//", "/v1/chat/completions/"}) {
    EXPECT_EQ(router.Find("GET", path).endpoint, nullptr) << path;
    EXPECT_TRUE(router.Find("GET", path).allowed.empty() || path[4] == 'c') << path;
  }
}

TEST(Router, PathParametersAreDecodedOnce) {
  EXPECT_EQ(PathParameter("/v1/models/*", "/v1/models/a%2Fb"), "a/b");
  EXPECT_EQ(PathParameter("/v1/models/*", "/v1/models/%252e"), "%2e");
  EXPECT_EQ(PathParameter("/v1/models/*", "/v1/models/%0d%0aSet-Cookie"), "");
  EXPECT_EQ(PathParameter("/v1/models/*", "/v1/models/%4"), "");
  EXPECT_EQ(PathParameter("/v1/models/*", "/v1/models/%zz"), "");
}

TEST(Query, ValuesByName) {
  EXPECT_EQ(QueryValue("n=3&job=true", "job"), "true");
  EXPECT_EQ(QueryValue("n=3&job=true", "n"), "3");
  EXPECT_EQ(QueryValue("nn=3&n=", "n"), "");
  EXPECT_EQ(QueryValue("", "n"), "");
  EXPECT_EQ(QueryValue("&&n", "n"), "");
}

TEST(Reply, WhatIsWrittenIsTakenInOrderAndWakesOnce) {
  Reply reply;
  int wakes = 0;
  reply.SetWake([&] { ++wakes; });
  reply.Begin({});
  reply.Write("a");
  reply.Write("b");
  EXPECT_EQ(wakes, 1);
  Reply::Ready ready = reply.Take();
  EXPECT_TRUE(ready.head && ready.streamed && !ready.ended);
  EXPECT_EQ(ready.data, "ab");
  reply.Write("c");
  reply.End();
  EXPECT_EQ(wakes, 2);
  reply.Write("after the end");
  ready = reply.Take();
  EXPECT_FALSE(ready.head);
  EXPECT_TRUE(ready.ended);
  EXPECT_EQ(ready.data, "c");
}

TEST(Reply, TheLastPieceComesWithTheEnd) {
  Reply reply;
  reply.Begin({});
  reply.Write("a");
  reply.End("b");
  reply.End("again");
  const Reply::Ready ready = reply.Take();
  EXPECT_TRUE(ready.ended);
  EXPECT_EQ(ready.data, "ab");
}

TEST(Reply, WhatIsGatheredGoesTogether) {
  Reply reply;
  int wakes = 0;
  reply.SetWake([&] { ++wakes; });
  reply.Begin({});
  reply.Take();
  reply.Gather("a");
  reply.Gather("b");
  EXPECT_EQ(wakes, 1);
  reply.Flush();
  reply.Flush();
  EXPECT_EQ(wakes, 2);
  EXPECT_EQ(reply.Take().data, "ab");
  reply.Gather("c");
  reply.End("d");
  EXPECT_EQ(reply.Take().data, "cd");
}

// The connection's socket, as far as a test plays it: it takes `room` bytes.
struct PlayedSocket {
  std::string taken;
  size_t room = 1000;
  bool broken = false;
  Reply::Sent operator()(std::string_view data) {
    if (broken) return {0, "", true};
    const size_t n = std::min(room, data.size());
    taken += data.substr(0, n);
    room -= n;
    return {static_cast<int64_t>(n), std::string(data.substr(n)), false};
  }
};

TEST(Reply, PiecesAreSentByTheirMakerWhileTheConnectionRests) {
  Reply reply;
  PlayedSocket socket;
  int wakes = 0;
  reply.SetWake([&] { ++wakes; });
  reply.OfferSocket([&](std::string_view data) { return socket(data); });
  reply.Begin({});
  reply.Write("a");
  EXPECT_EQ(socket.taken, "");  // the connection sends the head first
  EXPECT_FALSE(reply.Rest());
  EXPECT_EQ(reply.Take().data, "a");
  reply.Write("b");  // it has taken, and may still be sending
  EXPECT_FALSE(reply.Rest());
  EXPECT_EQ(reply.Take().data, "b");
  EXPECT_EQ(socket.taken, "");
  EXPECT_TRUE(reply.Rest());
  wakes = 0;
  reply.Write("cc");
  reply.Gather("d");
  reply.Write("e");
  EXPECT_EQ(socket.taken, "ccde");
  EXPECT_EQ(wakes, 0);
  reply.End("f");
  EXPECT_EQ(wakes, 1);
  const Reply::Ready ready = reply.Take();
  EXPECT_EQ(ready.sent_bytes, 4);
  EXPECT_EQ(ready.data, "f");
  EXPECT_TRUE(ready.ended && ready.rest.empty() && !ready.failed);
}

TEST(Reply, WhatTheSocketDoesNotTakeIsLeftToTheConnection) {
  Reply reply;
  PlayedSocket socket;
  socket.room = 2;
  int wakes = 0;
  reply.SetWake([&] { ++wakes; });
  reply.OfferSocket([&](std::string_view data) { return socket(data); });
  reply.Begin({});
  reply.Take();
  EXPECT_TRUE(reply.Rest());
  wakes = 0;
  reply.Write("abc");
  reply.Write("d");
  EXPECT_EQ(wakes, 1);
  socket.room = 100;
  Reply::Ready ready = reply.Take();
  EXPECT_EQ(socket.taken, "ab");
  EXPECT_EQ(ready.rest, "c");
  EXPECT_EQ(ready.data, "d");
  EXPECT_EQ(ready.sent_bytes, 2);
  EXPECT_TRUE(reply.Rest());
  socket.broken = true;
  reply.Write("e");
  EXPECT_EQ(wakes, 2);
  EXPECT_TRUE(reply.Take().failed);
  EXPECT_TRUE(reply.Rest());
  socket.broken = false;
  reply.SetWake(nullptr);  // the connection has done: the socket may be closed
  reply.Write("f");
  EXPECT_EQ(socket.taken, "ab");
}

TEST(Reply, OnlyTheFirstAnswerCounts) {
  Reply reply;
  HttpResponse first;
  first.status = 429;
  reply.Send(first);
  reply.Send({});
  reply.Begin({});
  reply.Write("x");
  reply.End();
  const Reply::Ready ready = reply.Take();
  EXPECT_EQ(ready.head->status, 429);
  EXPECT_TRUE(ready.ended && !ready.streamed && ready.data.empty());
}

TEST(Reply, AClientThatLeavesEndsTheWork) {
  Reply reply;
  int gone = 0;
  reply.OnGone([&] { ++gone; });
  reply.OnGone([&] { ++gone; });
  reply.ClientGone();
  reply.ClientGone();
  EXPECT_EQ(gone, 2);
  reply.OnGone([&] { ++gone; });
  EXPECT_EQ(gone, 3);
  Reply done;
  done.OnGone([&] { ++gone; });
  done.Send({});
  done.ClientGone();
  EXPECT_EQ(gone, 3);
}

TEST(Wire, BytesOfAnswers) {
  Framing framing;
  framing.streamed = true;
  HttpResponse response;
  response.headers = {{"X-Test", "1"}};
  const std::string head = HeadBytes(response, framing);
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_NE(head.find("Transfer-Encoding: chunked\r\n"), head.npos);
  EXPECT_EQ(head.find("Content-Length"), head.npos);
  EXPECT_EQ(head.find("Access-Control"), head.npos);
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
  std::string bytes;
  AddStreamBytes("0123456789abcdef", false, framing, &bytes);
  AddStreamBytes("", true, framing, &bytes);
  EXPECT_EQ(bytes, "10\r\n0123456789abcdef\r\n0\r\n\r\n");
  framing.chunked = false;  // HTTP/1.0: the end of the connection ends the body
  bytes.clear();
  AddStreamBytes("x", true, framing, &bytes);
  EXPECT_EQ(bytes, "x");
}

}  // namespace
}  // namespace galen::server
