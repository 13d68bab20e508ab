#include <gtest/gtest.h>

#include <sstream>

#include "server/security/api_keys.h"
#include "server/security/browser_guard.h"
#include "server/security/patient_text.h"
#include "server/server_log.h"

namespace galen::server {
namespace {

TEST(ApiKeys, AKeyThatWasMadeIsFound) {
  const Result<NewKey> a = MakeKey("ward-3"), b = MakeKey("lab");
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_NE(a->key, b->key);
  EXPECT_EQ(a->line.find(a->key), std::string::npos);
  const Result<ApiKeys> keys = ApiKeys::Parse("# keys\n\n" + a->line + "\r\n" + b->line);
  ASSERT_TRUE(keys.ok()) << keys.status().message();
  const std::optional<Tenant> found = keys->Find("Bearer " + a->key),
                              other = keys->Find("Bearer " + b->key);
  ASSERT_TRUE(found && other);
  EXPECT_EQ(found->name, "ward-3");
  EXPECT_NE(found->cache_salt, other->cache_salt);
  EXPECT_NE(found->cache_salt, 0u);
  for (const std::string& wrong :
       {std::string(), std::string("Bearer "), a->key, "Basic " + a->key, "bearer " + a->key,
        "Bearer " + a->key + " ", "Bearer " + a->key.substr(1), "Bearer " + a->line}) {
    EXPECT_FALSE(keys->Find(wrong)) << wrong;
  }
}

TEST(ApiKeys, AdministratorsAreThoseThatTheFileNames) {
  const Result<NewKey> a = MakeKey("chief"), b = MakeKey("lab");
  const Result<ApiKeys> keys = ApiKeys::Parse(a->line + " admin\n" + b->line + "\n");
  ASSERT_TRUE(keys.ok()) << keys.status().message();
  EXPECT_TRUE(keys->Find("Bearer " + a->key)->admin);
  EXPECT_FALSE(keys->Find("Bearer " + b->key)->admin);
  EXPECT_FALSE(ApiKeys::Parse(a->line + " owner").ok());
  EXPECT_FALSE(ApiKeys::Parse(a->line + " admin admin").ok());
  EXPECT_FALSE(keys->Find("Bearer " + a->key)->dicom);
  const Result<ApiKeys> senders = ApiKeys::Parse(a->line + " dicom\n" + b->line + " dicom admin\n");
  ASSERT_TRUE(senders.ok());
  EXPECT_TRUE(senders->Find("Bearer " + a->key)->dicom);
  EXPECT_FALSE(senders->Find("Bearer " + a->key)->admin);
  EXPECT_FALSE(ApiKeys::Parse(a->line + " dicom dicom").ok());
}

TEST(ApiKeys, LimitsStandBehindTheDigest) {
  const Result<NewKey> a = MakeKey("ward"), b = MakeKey("lab");
  const Result<ApiKeys> keys =
      ApiKeys::Parse(a->line + " rpm=60 tpd=100000 admin tpm=5000\n" + b->line + "\n");
  ASSERT_TRUE(keys.ok()) << keys.status().message();
  EXPECT_TRUE(keys->Find("Bearer " + a->key)->admin);
  const KeyLimits limits = keys->Find("Bearer " + a->key)->limits;
  EXPECT_EQ(limits.requests_per_minute, 60);
  EXPECT_EQ(limits.tokens_per_minute, 5000);
  EXPECT_EQ(limits.tokens_per_day, 100000);
  EXPECT_FALSE(keys->Find("Bearer " + b->key)->limits.any());
  for (const char* wrong : {" rpm=0", " rpm=-1", " rpm=", " rpm=x", " rpm=5x", " rpm=1 rpm=2",
                            " rpm=99999999999999999999", " tokens=5", " rpm= 5"})
    EXPECT_FALSE(ApiKeys::Parse(a->line + wrong).ok()) << wrong;
}

TEST(ApiKeys, BadFilesAreRefusedWithoutQuotingThem) {
  const std::string good = MakeKey("x")->line;
  for (const std::string& text :
       {std::string(), std::string("# none\n"), std::string("gk_secret"), std::string("a b"),
        "a sha256:" + std::string(63, '0'), "a sha256:" + std::string(64, 'G'), good + "\n" + good,
        "x/y " + good.substr(2)}) {
    const Result<ApiKeys> keys = ApiKeys::Parse(text);
    ASSERT_FALSE(keys.ok()) << text;
    EXPECT_EQ(keys.status().message().find("gk_secret"), std::string::npos);
  }
}

TEST(BrowserGuard, PagesFromElsewhereAreRefused) {
  const auto fault = [](const char* host, const char* origin, bool local) {
    RequestHead head;
    head.host = host;
    head.origin = origin;
    return BrowserFault(head, local);
  };
  for (const char* host :
       {"localhost", "localhost:11434", "127.0.0.1:11434", "[::1]:80", "::1", ""})
    EXPECT_EQ(fault(host, "", true), "") << host;
  for (const char* host :
       {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example:11434"})
    EXPECT_NE(fault(host, "", true), "") << host;
  EXPECT_EQ(fault("galen.hospital", "", false), "");
  EXPECT_EQ(fault("localhost:11434", "http://localhost:11434", true), "");
  EXPECT_NE(fault("localhost:11434", "http://localhost:3000", true), "");
  EXPECT_NE(fault("localhost:11434", "null", true), "");
  EXPECT_NE(fault("localhost:11434", "https://evil.example", true), "");
}

TEST(PatientText, PrintsAsADigest) {
  const PatientText text("Erika Mustermann, 1964-08-12"), same("Erika Mustermann, 1964-08-12"),
      other("Erika Mustermann, 1964-08-13");
  std::ostringstream out;
  out << text;
  EXPECT_EQ(out.str().find("Mustermann"), std::string::npos);
  EXPECT_EQ(text.Digest(), same.Digest());
  EXPECT_NE(text.Digest(), other.Digest());
}

TEST(ServerLog, HoldsNothingOfABody) {
  std::ostringstream out;
  ServerLog log(&out);
  HttpRequest request;
  request.method = "POST";
  request.path = "/Mustermann";
  request.query = "name=Mustermann";
  request.authorization = "Bearer gk_secret";
  request.body = PatientText("Erika Mustermann");
  Exchange exchange;
  exchange.request = &request;
  exchange.status = 404;
  log.Request(exchange, "none");
  EXPECT_NE(out.str().find("\"status\":404"), std::string::npos);
  EXPECT_EQ(out.str().find("Mustermann"), std::string::npos) << out.str();
  EXPECT_EQ(out.str().find("gk_secret"), std::string::npos);
}

}  // namespace
}  // namespace galen::server
