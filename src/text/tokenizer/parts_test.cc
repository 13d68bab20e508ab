// The parts of a tokenizer, each alone.
#include <gtest/gtest.h>

#include "text/tokenizer/base64.h"
#include "text/tokenizer/charsmap.h"
#include "text/tokenizer/json_document.h"
#include "text/tokenizer/model.h"
#include "text/tokenizer/normalizer.h"
#include "text/tokenizer/pre_tokenizer.h"
#include "text/tokenizer/regex.h"
#include "text/tokenizer/trie.h"
#include "text/tokenizer/unicode.h"
#include "text/tokenizer/vocab.h"

namespace galen::text {
namespace {

std::string Lossy(std::string_view s) {
  std::string out;
  AppendLossy(s, false, &out);
  return out;
}

// From Python: bytes.decode("utf-8", "replace").
TEST(Unicode, BrokenBytesAsInPython) {
  const std::string r(kReplacement);
  EXPECT_EQ(Lossy("ok \xC3\xA9"), "ok \xC3\xA9");
  EXPECT_EQ(Lossy("\xE2\x82"), r);
  EXPECT_EQ(Lossy("\xE2\x82x"), r + "x");
  EXPECT_EQ(Lossy("\xF0\x9F\x98"), r);
  EXPECT_EQ(Lossy("\xED\xA0\x80"), r + r + r);
  EXPECT_EQ(Lossy("\xC0\x80"), r + r);
  EXPECT_EQ(Lossy("\xE0\x80\xAF"), r + r + r);
  EXPECT_EQ(Lossy("\xF4\x90\x80\x80"), r + r + r + r);
  EXPECT_EQ(Lossy("\xF8\x88"), r + r);
  std::string out;
  EXPECT_EQ(AppendLossy("a\xF0\x9F", true, &out), 2u);
  EXPECT_EQ(out, "a");
  EXPECT_EQ(AppendLossy("\xF0\x9F"
                        "b",
                        true, &out),
            0u);
  EXPECT_EQ(out, "a" + r + "b");
}

TEST(Unicode, LowerCase) {
  std::string out;
  for (const char32_t c : {U'A', U'z', U'Ä', U'Σ', U'İ', U'Ǆ', U'ẞ', U'\u1C89', U'Ω', U'Ꞓ'})
    AppendLower(c, &out);
  EXPECT_EQ(out, "azäσi̇ǆß\u1C8Aωꞓ");
}

std::vector<std::string> Matches(std::string_view pattern, std::string_view text) {
  const auto regex = Regex::Compile(pattern);
  EXPECT_TRUE(regex.ok()) << regex.status().message();
  std::vector<Span> spans;
  if (regex.ok()) {
    EXPECT_TRUE(regex->FindAll(text, &spans).ok());
  }
  std::vector<std::string> out;
  for (const Span& span : spans) out.emplace_back(text.substr(span.begin, span.end - span.begin));
  return out;
}
using Strings = std::vector<std::string>;

TEST(Regex, MeansWhatOnigurumaMeans) {
  EXPECT_EQ(Matches(R"(\s+(?!\S)|\s+)", "a   b \n"), (Strings{"  ", " ", " \n"}));
  EXPECT_EQ(Matches(R"([^\s\p{L}\p{N}]+)", "a+\u180E?1"),
            (Strings{"+\u180E?"}));  // U+180E is no space any more
  EXPECT_EQ(Matches(R"(\p{N}{1,3})", "12345"), (Strings{"123", "45"}));
  EXPECT_EQ(Matches(R"(\h+)", "xAf09g"), (Strings{"Af09"}));  // hexadecimal digits, not blanks
  EXPECT_EQ(Matches(R"(\w+)", "²x_é\u1C89"), (Strings{"²x_é\u1C89"}));
  EXPECT_EQ(Matches(R"([^\S\n]+)", "a \t\nb"), (Strings{" \t"}));
  EXPECT_EQ(Matches(R"((?i:'s|'T))", "'S't'ſ"), (Strings{"'S", "'t", "'ſ"}));
  EXPECT_EQ(Matches(R"(\p{Han}+)", "漢字、か\U00031350"), (Strings{"漢字", "\U00031350"}));
  EXPECT_EQ(Matches(R"(\P{L}+)", "ab12c"), (Strings{"12"}));
  EXPECT_EQ(Matches(R"([\u4e00-\u9fa5]+)", "a中文b"), (Strings{"中文"}));
  EXPECT_EQ(Matches(R"(^x)", "x\nx"), (Strings{"x", "x"}));
  EXPECT_EQ(Matches(R"(a*)", "baac"), (Strings{"", "aa", ""}));
  EXPECT_EQ(Matches(R"(a{,2}b)", "aaab"), (Strings{"aab"}));
  EXPECT_EQ(Matches(R"({\}])", "{}]"), (Strings{"{}]"}));
}

TEST(Regex, RefusesWhatItCannotTranslate) {
  for (const char* pattern :
       {R"(\bword)", R"([a[bc]])", R"([a-z&&b])", R"((?<name>a)\k<name>)", R"(\X)", R"(\R)",
        R"((?m:.))", R"([[:alpha:]])", R"(\p{Alnum})", R"([^\P{L}])", R"(a{1,2}+)", R"(\)", R"([a)",
        R"(\x{110000})", R"(\1)", R"(\K)", R"([])"}) {
    EXPECT_FALSE(Regex::Compile(pattern).ok()) << pattern;
  }
}

TEST(Trie, FindsAllPrefixes) {
  const Trie trie({{"a", 1}, {"abc", 2}, {"ab", 3}, {"b", 4}, {"", 5}, {"abc", 6}});
  std::vector<std::pair<size_t, int32_t>> found;
  trie.Prefixes("abcd", [&](size_t length, int32_t value) { found.emplace_back(length, value); });
  EXPECT_EQ(found, (std::vector<std::pair<size_t, int32_t>>{{1, 1}, {2, 3}, {3, 6}}));
  EXPECT_EQ(trie.Longest("abd"), (std::pair<size_t, int32_t>{2, 3}));
  EXPECT_EQ(trie.Longest("x"), (std::pair<size_t, int32_t>{0, -1}));
  EXPECT_EQ(trie.Longest(""), (std::pair<size_t, int32_t>{0, -1}));
  EXPECT_TRUE(Trie().empty());
}

TEST(Trie, ManyChildren) {
  std::vector<std::string> keys;
  for (int i = 255; i >= 0; --i) keys.push_back(std::string("x") + static_cast<char>(i));
  std::vector<std::pair<std::string_view, int32_t>> entries;
  for (size_t i = 0; i < keys.size(); ++i) entries.emplace_back(keys[i], static_cast<int32_t>(i));
  const Trie trie(entries);
  for (size_t i = 0; i < keys.size(); ++i)
    EXPECT_EQ(trie.Longest(keys[i]), (std::pair<size_t, int32_t>{2, static_cast<int32_t>(i)}));
}

TEST(Vocab, FindsWhatWasSet) {
  Vocab vocab;
  std::vector<std::string> texts;
  for (int i = 0; i < 5000; ++i)
    texts.push_back("token" + std::to_string(i * 7) + std::string(i % 40, 'x'));
  for (int i = 0; i < 5000; ++i) vocab.Set(i, texts[i]);
  vocab.Index();
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(vocab.Find(texts[i]), i);
  EXPECT_EQ(vocab.Find("token"), Vocab::kNone);
  EXPECT_EQ(vocab.Find(""), Vocab::kNone);
  EXPECT_EQ(vocab.Text(4999), texts[4999]);
  EXPECT_EQ(vocab.Text(5000), "");
}

// Words met before are kept by thread, for all tokenizers of the process; those of another one, of
// whatever kind, must not be taken.
TEST(Bpe, TokenizersOfOneProcessDoNotMixTheirWords) {
  Vocab vocab;
  const char* const texts[] = {"a", "b", "ab", "aba"};
  for (int32_t id = 0; id < 4; ++id) vocab.Set(id, texts[id]);
  vocab.Index();
  std::vector<std::unique_ptr<Model>> models;
  for (int i = 0; i < 100; ++i) {
    models.push_back(MakeBpe(vocab, MergeList{{{0, 1, 2}}}, {}));
    models.push_back(MakeBpe(vocab, MergeScores{{0, 0, -1, -2}, {true, true, true, true}, {}}, {}));
  }
  for (size_t i = 0; i < models.size(); ++i) {
    std::vector<int32_t> ids;
    ASSERT_TRUE(models[i]->Encode("aba", false, false, &ids).ok());
    const std::vector<int32_t> pairs = {2, 0}, whole = {3};
    EXPECT_EQ(ids, i % 2 == 0 ? pairs : whole) << i;
  }
}

TEST(Base64, Decodes) {
  EXPECT_EQ(DecodeBase64("aGVsbG8="), "hello");
  EXPECT_EQ(DecodeBase64(""), "");
  EXPECT_EQ(DecodeBase64("a*"), std::nullopt);
}

TEST(Charsmap, RefusesDamage) {
  EXPECT_FALSE(Charsmap::Parse("").ok());
  EXPECT_FALSE(Charsmap::Parse(std::string("\x08\0\0\0abcd", 8)).ok());
  EXPECT_FALSE(Charsmap::Parse(std::string("\x03\0\0\0abc", 7)).ok());
  EXPECT_FALSE(Charsmap::Parse(std::string("\x04\0\0\0abcd\xFF", 9)).ok());
  const auto map =
      Charsmap::Parse(std::string("\x04\0\0\0\xFF\xFF\xFF\x7F", 8));  // offsets beyond the table
  ASSERT_TRUE(map.ok());
  EXPECT_EQ(map->Longest("abc").length, 0u);
}

// The values are what tokenizers 0.23.3 writes again after reading the first ones.
TEST(TokenizerJson, ScoresAreReadAsTheReferenceReadsThem) {
  const auto document = ParseTokenizerJson(
      R"({"model": {"type": "Unigram", "vocab": [["a", -3.8654253482818604], ["b", -7.2812395095825195],)"
      R"( ["c", -0.43561181362301915], ["d", -2.5], ["e", 0], ["f", -1e-3]]}})");
  ASSERT_TRUE(document.ok()) << document.status().message();
  EXPECT_EQ(document->vocab_scores, (std::vector<double>{-3.865425348281861, -7.28123950958252,
                                                         -0.4356118136230191, -2.5, 0, -0.001}));
}

TEST(Grapheme, Clusters) {
  const auto length = [](std::string_view s) { return GraphemeLength(s); };
  EXPECT_EQ(length("\xCF\x89\xCD\x85\xE1\xAB\xA9x"), 7u);  // U+1AE9 is a mark since Unicode 17
  EXPECT_EQ(length("ab"), 1u);
  EXPECT_EQ(length("\r\nx"), 2u);
  EXPECT_EQ(length("e\u0301\u0323x"), 5u);
  EXPECT_EQ(length("\u1100\u1161\u11A8a"), 9u);
  EXPECT_EQ(length("\U0001F1E9\U0001F1EA\U0001F1EB"), 8u);
  EXPECT_EQ(length("\U0001F468\u200D\U0001F469x"), 11u);
  EXPECT_EQ(length("a\u200D\U0001F469"), 4u);
  EXPECT_EQ(length("\u0600"
                   "5"),
            3u);
}

TEST(Normalizer, FormsOfUnicodeNine) {
  const auto normalize = [](UnicodeForm form, std::string_view in) {
    Normalizer normalizer;
    normalizer.Add(NormalizeUnicode{form});
    std::string storage;
    bool origin = true;
    return std::string(*normalizer.Normalize(in, &storage, &origin));
  };
  EXPECT_EQ(normalize(UnicodeForm::kNfc, "e\u0301 A\u030A"), "é Å");
  EXPECT_EQ(normalize(UnicodeForm::kNfd, "é"), "e\u0301");
  EXPECT_EQ(normalize(UnicodeForm::kNfkc, "ﬁ①\u00A0x"), "fi1 x");
  EXPECT_EQ(normalize(UnicodeForm::kNfkd, "Å"), "A\u030A");
  EXPECT_EQ(normalize(UnicodeForm::kNfkc, "\u32FF"), "\u32FF");  // Unicode 12.1
  EXPECT_EQ(normalize(UnicodeForm::kNfd, "a\u1DF6\u0316"),
            "a\u1DF6\u0316");  // Unicode 10: no class to sort by
}

TEST(ByteAlphabet, IsABijection) {
  for (int byte = 0; byte < 256; ++byte)
    EXPECT_EQ(CharToByte(ByteToChar(static_cast<unsigned char>(byte))), byte);
  EXPECT_EQ(ByteToChar(' '), U'Ġ');
  EXPECT_EQ(ByteToChar('\n'), U'Ċ');
  EXPECT_EQ(CharToByte(U'▁'), -1);
  EXPECT_EQ(CharToByte(U'\u00AD'), -1);
}

}  // namespace
}  // namespace galen::text
