#include "server/jobs/seal_key.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <set>

#include "base/child.h"

namespace galen::server {
namespace {

class SealKeyTest : public testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string path = folder_.path() + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  SealKey KeyOf(char digit) {
    Result<SealKey> key = SealKey::Read(Write("key", std::string(64, digit) + "\n"));
    EXPECT_TRUE(key.ok()) << key.status().message();
    return *std::move(key);
  }
  TemporaryFolder folder_ = *TemporaryFolder::Make();
};

TEST_F(SealKeyTest, WhatIsSealedOpensAgainInItsPlaceAlone) {
  const SealKey key = KeyOf('a'), other = KeyOf('b');
  EXPECT_NE(key.id(), other.id());
  EXPECT_EQ(key.id(), KeyOf('a').id());
  for (const std::string& text :
       {std::string(), std::string("5.4 mmol/l"), std::string("a\0b", 3), std::string(70000, 'x')}) {
    const Result<std::string> sealed = key.Seal(text, "job 1");
    ASSERT_TRUE(sealed.ok());
    if (!text.empty()) {
      EXPECT_EQ(sealed->find(text), std::string::npos);
    }
    EXPECT_EQ(*key.Open(*sealed, "job 1"), text);
    EXPECT_EQ(key.Open(*sealed, "job 2").status().code(), StatusCode::kDataLoss);
    EXPECT_EQ(other.Open(*sealed, "job 1").status().code(), StatusCode::kDataLoss);
  }
}

TEST_F(SealKeyTest, ChangedAndCutTextsAreRefused) {
  const SealKey key = KeyOf('c');
  const std::string sealed = *key.Seal("5.4 mmol/l", "");
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(key.Open(changed, "").ok()) << i;
    EXPECT_FALSE(key.Open(sealed.substr(0, i), "").ok()) << i;
  }
  EXPECT_FALSE(key.Open(sealed + "x", "").ok());
}

TEST_F(SealKeyTest, TheSameTextIsNeverTheSameBytes) {
  const SealKey key = KeyOf('d');
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(seen.insert(*key.Seal("text", "p")).second);
}

// A vector from elsewhere: test case 16 of McGrew and Viega's GCM specification of 2005 (AES-256).
TEST_F(SealKeyTest, OpensWhatOthersSealed) {
  const auto bytes = [](const std::string& hex) {
    std::string out;
    for (size_t i = 0; i < hex.size(); i += 2)
      out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    return out;
  };
  const Result<SealKey> key = SealKey::Read(
      Write("vector", "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"));
  ASSERT_TRUE(key.ok());
  const std::string sealed = bytes(
      "cafebabefacedbaddecaf888"
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
      "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
      "76fc6ece0f4e1768cddf8853bb2d551b");
  const Result<std::string> text =
      key->Open(sealed, bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2"));
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(*text,
            bytes("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"));
}

TEST_F(SealKeyTest, FilesThatAreNoKey) {
  EXPECT_EQ(SealKey::Read(folder_.path() + "/none").status().code(), StatusCode::kNotFound);
  for (const std::string& text : {std::string(), std::string(63, 'a'), std::string(65, 'a'),
                                  std::string(64, 'g'), std::string(5000, 'a')}) {
    const Result<SealKey> key = SealKey::Read(Write("bad", text));
    EXPECT_FALSE(key.ok()) << text.size();
  }
  const Result<SealKey> open = SealKey::Read(Write("open", std::string(64, 'a'), 0640));
  EXPECT_EQ(open.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(open.status().message().find("chmod 600"), std::string::npos);
}

}  // namespace
}  // namespace galen::server
