#include "http/related_reader.h"

#include <gtest/gtest.h>

#include <vector>

#include "http/percent.h"

namespace galen {
namespace {

constexpr char kOuter[] = "multipart/related; type=\"application/dicom\"; boundary=b-7";
constexpr char kHead[] = "Content-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.1\r\n";

std::string PartOf(const std::string& bytes, const std::string& head = kHead) {
  return "--b-7\r\n" + head + "\r\n" + bytes + "\r\n";
}

// The parts of `body` when it comes in pieces of `piece` bytes.
Result<std::vector<std::string>> InPieces(const std::string& body, size_t piece,
                                          const FormLimits& limits = {}) {
  std::vector<std::string> parts;
  RelatedEvents events;
  events.begin = [&] {
    parts.emplace_back();
    return OkStatus();
  };
  events.data = [&](std::string_view bytes) {
    parts.back() += bytes;
    return OkStatus();
  };
  events.end = [] { return OkStatus(); };
  ASSIGN_OR_RETURN(RelatedReader reader,
                   RelatedReader::Create(kOuter, "application/dicom", events, limits));
  for (size_t at = 0; at < body.size(); at += piece)
    RETURN_IF_ERROR(reader.Write(std::string_view(body).substr(at, piece)));
  RETURN_IF_ERROR(reader.Finish());
  return parts;
}

TEST(RelatedReader, AnyPiecesGiveTheSameParts) {
  const std::vector<std::string> expected = {"", "\r\n--b-", "ab\r\n\r\n--b-8\r\n", "x",
                                             std::string("\0\r\n-\r", 5)};
  std::string body;
  for (const std::string& part : expected) body += PartOf(part);
  body += "--b-7--\r\n";
  for (const std::string& whole : {body, "\r\n" + body, body.substr(0, body.size() - 2)}) {
    for (size_t piece = 1; piece <= whole.size(); ++piece) {
      const auto parts = InPieces(whole, piece);
      ASSERT_TRUE(parts.ok()) << piece << ": " << parts.status().message();
      EXPECT_EQ(*parts, expected) << piece;
    }
  }
  EXPECT_TRUE(InPieces("--b-7--", 3)->empty());
  EXPECT_EQ(*InPieces("--b-7\r\n\r\nab\r\n--b-7--", 1), std::vector<std::string>{"ab"});
  EXPECT_EQ(*InPieces("--b-7\r\n" + std::string(kHead) + "\r\n--b-7--", 1),
            std::vector<std::string>{""});
}

TEST(RelatedReader, EveryCutIsSeen) {
  const std::string body = PartOf("abc") + PartOf("d") + "--b-7--";
  for (size_t size = 0; size < body.size(); ++size) {
    const auto parts = InPieces(body.substr(0, size), 5);
    EXPECT_EQ(parts.status().code(), StatusCode::kDataLoss) << size;
  }
}

TEST(RelatedReader, Refuses) {
  for (const std::string& body :
       {std::string("<html>"), PartOf("a") + "--b-7x", PartOf("a") + "--b-7--\r\nmore",
        PartOf("a", "Content-Type: text/html\r\n") + "--b-7--",
        PartOf("a", "no header\r\n") + "--b-7--",
        PartOf("a", std::string(kHead) + "Content-Transfer-Encoding: base64\r\n") + "--b-7--"}) {
    for (const size_t piece : {size_t{1}, body.size()})
      EXPECT_EQ(InPieces(body, piece).status().code(), StatusCode::kDataLoss) << body;
  }
  FormLimits limits;
  limits.parts = 2;
  EXPECT_TRUE(InPieces(PartOf("") + PartOf("") + "--b-7--", 4, limits).ok());
  EXPECT_EQ(InPieces(PartOf("") + PartOf("") + PartOf(""), 4, limits).status().code(),
            StatusCode::kResourceExhausted);
  limits.header_bytes = 100;
  EXPECT_EQ(InPieces(PartOf("", "X: " + std::string(200, 'x')), 7, limits).status().code(),
            StatusCode::kResourceExhausted);
  for (const char* type : {"text/html", "multipart/related; boundary=b-7",
                           "multipart/related; type=\"application/dicom\"",
                           "multipart/related; type=\"application/dicom+json\"; boundary=b-7",
                           "multipart/related; type=\"application/dicom\"; boundary=\"a b \""}) {
    EXPECT_EQ(RelatedReader::Create(type, "application/dicom", {}, {}).status().code(),
              StatusCode::kDataLoss)
        << type;
  }
}

TEST(RelatedReader, ErrorsOfEventsEndTheReading) {
  RelatedEvents events;
  events.begin = [] { return OkStatus(); };
  events.data = [](std::string_view) { return IoError("the disk is full"); };
  events.end = [] { return OkStatus(); };
  auto reader = RelatedReader::Create(kOuter, "application/dicom", events, {});
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader->Write(PartOf(std::string(99, 'x'))).code(), StatusCode::kIo);
}

TEST(PercentEncode, LeavesOnlyPlainBytes) {
  EXPECT_EQ(PercentEncode("a-Z.0_~"), "a-Z.0_~");
  EXPECT_EQ(PercentEncode("M\xc3\xbcller^A&b=c/ ?%"), "M%C3%BCller%5EA%26b%3Dc%2F%20%3F%25");
}

}  // namespace
}  // namespace galen
