#include "http/multipart.h"

#include <gtest/gtest.h>

namespace galen {
namespace {

constexpr char kType[] = "multipart/form-data; boundary=xyz";

std::string Part(const std::string& headers, const std::string& body) {
  return "--xyz\r\n" + headers + "\r\n\r\n" + body + "\r\n";
}

std::string Field(const std::string& name, const std::string& body) {
  return Part("Content-Disposition: form-data; name=\"" + name + "\"", body);
}

TEST(Multipart, FieldsAndFiles) {
  const std::string body =
      Field("schema", "lab_report") +
      Part(
          "Content-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".pdf\"\r\n"
          "Content-Type: application/pdf",
          "%PDF\r\n--xy\r\n\0--xyz") +
      Part("content-disposition:form-data;name=file;filename*=UTF-8''%C3%A4.png", "") +
      "--xyz--\r\n";
  const auto parts = ParseForm(kType, body);
  ASSERT_TRUE(parts.ok()) << parts.status().message();
  ASSERT_EQ(parts->size(), 3u);
  EXPECT_EQ((*parts)[0].name, "schema");
  EXPECT_EQ((*parts)[0].body, "lab_report");
  EXPECT_FALSE((*parts)[0].is_file);
  EXPECT_EQ((*parts)[1].filename, "a \"b\".pdf");
  EXPECT_EQ((*parts)[1].content_type, "application/pdf");
  EXPECT_EQ((*parts)[1].body, std::string("%PDF\r\n--xy\r\n"));  // the literal ends at its NUL
  EXPECT_TRUE((*parts)[2].is_file);
  EXPECT_EQ((*parts)[2].filename, "\xC3\xA4.png");
  EXPECT_EQ((*parts)[2].body, "");
}

TEST(Multipart, BytesOfAFileStayAsTheyAre) {
  std::string bytes;
  for (int i = 0; i < 70000; ++i) bytes += static_cast<char>(i * 7 % 256);
  bytes += "\r\n--xy\r\n\r\n";
  const std::string body = Field("file", bytes) + "--xyz--";
  const auto parts = ParseForm("Multipart/Form-Data ; boundary=\"xyz\"", body);
  ASSERT_TRUE(parts.ok()) << parts.status().message();
  EXPECT_EQ((*parts)[0].body, bytes);
}

TEST(Multipart, AnEmptyForm) {
  const auto parts = ParseForm(kType, "--xyz--");
  ASSERT_TRUE(parts.ok());
  EXPECT_TRUE(parts->empty());
}

TEST(Multipart, WrongTypes) {
  EXPECT_TRUE(IsForm("multipart/form-data; boundary=a"));
  EXPECT_TRUE(IsForm(" MULTIPART/FORM-DATA"));
  EXPECT_FALSE(IsForm("multipart/mixed; boundary=a"));
  const std::string body = Field("a", "b") + "--xyz--";
  for (const char* type :
       {"", "multipart/form-data", "multipart/form-data; boundary=",
        "multipart/mixed; boundary=xyz", "multipart/form-data; boundary=\"xyz",
        "multipart/form-data; boundary=xyz; boundary=xyz", "multipart/form-data; boundary=\"xyz \"",
        "multipart/form-data boundary=xyz", "multipart/form-data; boundary=x\x01z",
        "multipart/form-data; "
        "boundary=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghh"}) {
    EXPECT_EQ(ParseForm(type, body).status().code(), StatusCode::kInvalidArgument) << type;
  }
}

TEST(Multipart, BrokenBodies) {
  const std::string good = Field("a", "b");
  const std::string head = "Content-Disposition: form-data; name=\"a\"";
  for (const std::string& body : {
           std::string(),
           std::string("--xy"),
           std::string("--xyz"),
           std::string("--xyz\r\n"),
           std::string("--xyz-"),
           "preamble\r\n" + good + "--xyz--",
           "\r\n" + good + "--xyz--",
           good,
           good + "--xyz",
           good + "--xyz--epilogue",
           good + "--xyz--\r\n\r\n",
           "--xyz \r\n" + head + "\r\n\r\nb\r\n--xyz--",
           "--xyz\n" + head + "\n\nb\n--xyz--",
           "--xyz\r\n" + head + "\r\nb\r\n--xyz--",
           "--xyz\r\n" + head + "\r\n\r\nb--xyz--",
           Part("Content-Type: text/plain", "b") + "--xyz--",
           Part("Content-Disposition: form-data", "b") + "--xyz--",
           Part("Content-Disposition: form-data; name=\"\"", "b") + "--xyz--",
           Part("Content-Disposition: form-data; name=\"a", "b") + "--xyz--",
           Part("Content-Disposition: attachment; name=\"a\"", "b") + "--xyz--",
           Part("Content-Disposition: form-data; name=\"a\"; name=\"b\"", "b") + "--xyz--",
           Part("Content-Disposition: form-data; name=a b", "b") + "--xyz--",
           Part(head + "; filename*=latin1''x", "b") + "--xyz--",
           Part(head + "; filename*=UTF-8''%4", "b") + "--xyz--",
           Part(head + "\r\n" + head, "b") + "--xyz--",
           Part(head + "\r\nno header", "b") + "--xyz--",
           Part(head + "\r\n folded: x", "b") + "--xyz--",
           Part(head + "\r\nX-Name: a\x01z", "b") + "--xyz--",
           Part(head + "\r\nContent-Transfer-Encoding: base64", "b") + "--xyz--",
       }) {
    const auto parts = ParseForm(kType, body);
    EXPECT_EQ(parts.status().code(), StatusCode::kInvalidArgument) << body;
  }
}

TEST(Multipart, Limits) {
  std::string body;
  for (int i = 0; i < 4; ++i) body += Field("a", "b");
  body += "--xyz--";
  EXPECT_TRUE(ParseForm(kType, body, {4, 100}).ok());
  EXPECT_EQ(ParseForm(kType, body, {3, 100}).status().code(), StatusCode::kResourceExhausted);
  const std::string headers = "Content-Disposition: form-data; name=\"a\"";
  EXPECT_TRUE(ParseForm(kType, Part(headers, "b") + "--xyz--", {1, headers.size()}).ok());
  EXPECT_EQ(
      ParseForm(kType, Part(headers, "b") + "--xyz--", {1, headers.size() - 1}).status().code(),
      StatusCode::kResourceExhausted);
}

// A name that looks like a path stays a name: nothing opens it.
TEST(Multipart, MessagesQuoteNothing) {
  const std::string secret = "Mustermann";
  const auto parts = ParseForm(
      kType, Part("Content-Disposition: form-data; name=\"" + secret, secret) + "--xyz--");
  ASSERT_FALSE(parts.ok());
  EXPECT_EQ(parts.status().message().find(secret), std::string::npos);
}

constexpr char kRelated[] = "multipart/related; type=\"application/dicom\"; boundary=xyz";

TEST(Multipart, RelatedParts) {
  const std::string part = "--xyz\r\nContent-Type: application/dicom\r\n\r\nbytes\r\n";
  for (const std::string& body : {part + part + "--xyz--", "\r\n" + part + part + "--xyz--\r\n"}) {
    const auto parts = ParseRelated(kRelated, "application/dicom", body);
    ASSERT_TRUE(parts.ok()) << parts.status().message();
    ASSERT_EQ(parts->size(), 2U);
    EXPECT_EQ((*parts)[1].body, "bytes");
  }
  const auto code = [](const std::string& type, const std::string& body) {
    return ParseRelated(type, "application/dicom", body).status().code();
  };
  const std::string whole = part + "--xyz--";
  EXPECT_EQ(code("multipart/form-data; boundary=xyz", whole), StatusCode::kUnsupported);
  EXPECT_EQ(code("multipart/related; boundary=xyz", whole), StatusCode::kUnsupported);
  EXPECT_EQ(code("multipart/related; type=\"text/xml\"; boundary=xyz", whole),
            StatusCode::kUnsupported);
  EXPECT_EQ(code(kRelated, "--xyz\r\nContent-Type: text/plain\r\n\r\nb\r\n--xyz--"),
            StatusCode::kUnsupported);
  EXPECT_EQ(code(kRelated, "--xyz\r\nContent-Location: a\r\n\r\nb\r\n--xyz--"),
            StatusCode::kUnsupported);
  EXPECT_EQ(code(kRelated, "--xyz\r\n\r\nb\r\n--xyz--"), StatusCode::kInvalidArgument);
  EXPECT_EQ(code("multipart/related; type=\"application/dicom\"", whole),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(code(kRelated, part), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(kRelated, "preamble" + whole), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(kRelated, whole + "x"), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(kRelated, ""), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace galen
