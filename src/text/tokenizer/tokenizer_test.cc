#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <thread>

namespace galen {
namespace {

using Ids = std::vector<TokenId>;

std::string Spaced(std::string_view text) {  // '_' stands for U+2581
  std::string out;
  for (const char c : text) c == '_' ? out.append("\xE2\x96\x81") : out.append(1, c);
  return out;
}

// A vocabulary as GGUF files carry it: SentencePiece BPE with byte tokens.
struct SpmVocab {
  std::vector<std::string> texts = {"<unk>", "<s>", "</s>", "<turn>"};
  std::vector<float> scores = {0, 0, 0, 0};
  std::vector<int32_t> types = {2, 3, 3, 3};

  SpmVocab() {
    for (int byte = 0; byte < 256; ++byte) {
      char name[8];
      std::snprintf(name, sizeof name, "<0x%02X>", byte);
      Add(name, 0, 6);
    }
    float score = -1;
    for (const char* piece : {"_t", "he", "_the", "aa", "aaaa", "ab", "_", "a", "b", "c", "e", "h",
                              "t", ".", "\xC3\xA9"}) {
      Add(Spaced(piece), score--, 1);
    }
  }
  void Add(std::string text, float score, int32_t type) {
    texts.push_back(std::move(text));
    scores.push_back(score);
    types.push_back(type);
  }
  GgufVocab Gguf() const {
    GgufVocab v;
    v.model = "llama";
    for (const std::string& text : texts) v.tokens.push_back(text);
    v.scores = scores;
    v.token_types = types;
    v.unk = 0;
    v.bos = 1;
    v.eos = 2;
    v.eot = 3;
    return v;
  }
};

std::shared_ptr<const Tokenizer> Make(GgufVocab vocab) {
  auto tokenizer = Tokenizer::FromGguf(std::move(vocab));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  return *tokenizer;
}

TokenId Id(const Tokenizer& t, std::string_view text) {
  const auto id = t.FindToken(Spaced(text));
  EXPECT_TRUE(id.has_value()) << text;
  return id.value_or(-1);
}

TEST(Tokenizer, SentencePieceVocabularyOfAGgufFile) {
  const auto t = Make(SpmVocab().Gguf());
  EXPECT_EQ(*t->Encode("the"), Ids({Id(*t, "_the")}));
  EXPECT_EQ(*t->Encode("the", {.add_bos = true}), Ids({1, Id(*t, "_the")}));
  EXPECT_EQ(*t->Encode(" t"), Ids({Id(*t, "_"), Id(*t, "_t")}));
  EXPECT_EQ(*t->Encode("aaaaaab"), Ids({Id(*t, "_"), Id(*t, "aaaa"), Id(*t, "aa"), Id(*t, "b")}));
  EXPECT_EQ(*t->Encode("\xC3\xA9\xE2\x82\xAC"),
            Ids({Id(*t, "_"), Id(*t, "\xC3\xA9"), 4 + 0xE2, 4 + 0x82, 4 + 0xAC}));
  EXPECT_EQ(*t->Encode(""), Ids());
  EXPECT_EQ(t->Decode(*t->Encode("the \xE2\x82\xAC  aab.")), "the \xE2\x82\xAC  aab.");
  EXPECT_EQ(t->TokenText(Id(*t, "_the")), Spaced("_the"));
  EXPECT_EQ(t->TokenBytes(Id(*t, "_the")), " the");
  EXPECT_EQ(t->TokenBytes(4 + 0xE2), "\xE2");
  EXPECT_TRUE(t->add_bos_token());
  EXPECT_EQ(t->special().stop, Ids({2, 3}));
  EXPECT_EQ(t->vocab_size(), 4 + 256 + 15);
}

TEST(Tokenizer, UserTextNeverBecomesAControlToken) {
  const auto t = Make(SpmVocab().Gguf());
  for (const char* text : {"<s>", "</s>", "<turn>", "the<turn>", "<unk>", "<<turn>>"}) {
    const Result<std::vector<TokenId>> ids = t->Encode(text);
    ASSERT_TRUE(ids.ok());
    for (const TokenId id : *ids) EXPECT_FALSE(t->IsControl(id)) << text;
  }
  EXPECT_EQ(*t->Encode("the<turn>the", {.parse_special = true}),
            Ids({Id(*t, "_the"), 3, Id(*t, "_the")}));
  EXPECT_TRUE(t->IsControl(3));
  EXPECT_FALSE(t->IsControl(Id(*t, "_the")));
  EXPECT_EQ(t->Decode(Ids{1, Id(*t, "_the"), 3}), "the");
  EXPECT_EQ(t->Decode(Ids{1, Id(*t, "_the"), 3}, false), "<s> the<turn>");
}

TEST(Tokenizer, BrokenUtf8IsReadAsReplacementCharacters) {
  const auto t = Make(SpmVocab().Gguf());
  EXPECT_EQ(*t->Encode("a\xE2\x82"
                       "b\xFF\xED\xA0\x80"),
            *t->Encode("a\xEF\xBF\xBD"
                       "b\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"));
}

TEST(Tokenizer, IdsOutsideTheVocabularyAreLeftOut) {
  const auto t = Make(SpmVocab().Gguf());
  EXPECT_EQ(t->Decode(Ids{-1, 1000000, Id(*t, "_the"), INT32_MIN, INT32_MAX}), "the");
  EXPECT_EQ(t->TokenText(-5), "");
  EXPECT_FALSE(t->IsControl(-1));
}

// Without the heap this would take 10^12 steps.
TEST(Tokenizer, AMegabyteOfOneLetterIsNoSpecialCase) {
  const auto t = Make(SpmVocab().Gguf());
  const std::string text(1 << 20, 'a');
  const auto ids = t->Encode(text);
  ASSERT_TRUE(ids.ok());
  EXPECT_EQ(ids->size(), 1u + text.size() / 4);
  EXPECT_EQ(t->Decode(*ids), text);
}

TEST(Tokenizer, ThreadsShareOneTokenizer) {
  const auto t = Make(SpmVocab().Gguf());
  const auto other = Make(SpmVocab().Gguf());
  const std::string text = "the aab \xE2\x82\xAC the abc aaaa.the";
  const Ids want = *t->Encode(text);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 200; ++k) wrong[i] += *(k % 2 ? t : other)->Encode(text) != want;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST(StreamingDetokenizer, HoldsIncompleteCharactersBack) {
  const auto t = Make(SpmVocab().Gguf());
  StreamingDetokenizer stream(t);
  EXPECT_EQ(stream.Add(Id(*t, "_the")), "the");
  EXPECT_EQ(stream.Add(4 + 0xE2), "");
  EXPECT_EQ(stream.Add(4 + 0x82), "");
  EXPECT_EQ(stream.Add(4 + 0xAC), "");  // the run may go on and turn out to be broken
  EXPECT_EQ(stream.Add(Id(*t, "a")),
            "\xE2\x82\xAC"
            "a");
  EXPECT_EQ(stream.Add(4 + 0xE2), "");
  EXPECT_EQ(stream.Flush(), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.Add(Id(*t, "_the")), "the");  // anew
}

TEST(Tokenizer, ByteLevelVocabularyOfAGgufFile) {
  GgufVocab v;
  v.model = "gpt2";
  v.pre = "smollm";
  // U+0120 stands for a space, U+00C3 and U+00A9 for the bytes of "é".
  const std::vector<std::string> tokens = {"<|im_end|>",
                                           "a",
                                           "b",
                                           "\xC4\xA0",
                                           "1",
                                           "\xC4\xA0"
                                           "a",
                                           "ab",
                                           "\xC3\x83",
                                           "\xC2\xA9",
                                           "\xC3\x83\xC2\xA9",
                                           "11"};
  const std::vector<std::string> merges = {"\xC4\xA0 a", "a b", "\xC3\x83 \xC2\xA9", "1 1"};
  for (const auto& text : tokens) v.tokens.push_back(text);
  for (const auto& text : merges) v.merges.push_back(text);
  v.token_types = {3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  v.bos = v.eos = 0;
  const auto t = Make(v);
  EXPECT_EQ(*t->Encode("ab a\xC3\xA9"
                       "11"),
            Ids({6, 5, 9, 4, 4}));    // each digit alone, although "11" is a merge
  EXPECT_EQ(*t->Encode("z"), Ids());  // no token, no unknown token: dropped, as in `tokenizers`
  EXPECT_FALSE(t->add_bos_token());
  StreamingDetokenizer stream(t);
  EXPECT_EQ(stream.Add(7), "");
  EXPECT_EQ(stream.Add(8), "\xC3\xA9");
  EXPECT_EQ(stream.Add(7), "");
  EXPECT_EQ(stream.Add(1),
            "\xEF\xBF\xBD"
            "a");
  EXPECT_EQ(t->Decode(Ids{7, 1, 0}),
            "\xEF\xBF\xBD"
            "a");
  EXPECT_EQ(t->special().stop, Ids({0}));
}

TEST(Tokenizer, RefusesBadGgufKeysByName) {
  const auto message = [](auto change) {
    SpmVocab vocab;
    GgufVocab v = vocab.Gguf();
    change(v);
    const auto result = Tokenizer::FromGguf(std::move(v));
    EXPECT_FALSE(result.ok());
    return result.ok() ? std::string() : result.status().message();
  };
  EXPECT_NE(message([](GgufVocab& v) { v.model = "bert"; }).find("'bert'"), std::string::npos);
  EXPECT_NE(message([](GgufVocab& v) { v.tokens.clear(); }).find("tokenizer.ggml.tokens"),
            std::string::npos);
  EXPECT_NE(message([](GgufVocab& v) { v.scores.pop_back(); }).find("tokenizer.ggml.scores"),
            std::string::npos);
  EXPECT_NE(
      message([](GgufVocab& v) { v.token_types.pop_back(); }).find("tokenizer.ggml.token_type"),
      std::string::npos);
  EXPECT_NE(message([](GgufVocab& v) { v.eos = 100000; }).find("eos_token_id is 100000"),
            std::string::npos);
  EXPECT_NE(message([](GgufVocab& v) {
              v.scores[7] = std::numeric_limits<float>::quiet_NaN();
            }).find("scores[7]"),
            std::string::npos);
  EXPECT_NE(message([](GgufVocab& v) {
              v.model = "gpt2";
              v.pre = "chatglm-bpe";
            }).find("'chatglm-bpe'"),
            std::string::npos);
  EXPECT_NE(message([](GgufVocab& v) {
              v.model = "gpt2";
              v.merges = {"a z"};
            }).find("merges[0]"),
            std::string::npos);
  EXPECT_NE(message([](GgufVocab& v) {
              v.model = "gpt2";
              v.merges = {"ab"};
            }).find("merges[0]"),
            std::string::npos);
}

std::string TokenizerJson(std::string_view rest) {
  return R"({"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"<s>":3},"merges":["a b"]})" +
         std::string(rest) + "}";
}

TEST(TokenizerJson, RefusesWhatItDoesNotKnowByName) {
  const auto message = [](std::string_view json) {
    const auto result = Tokenizer::FromJson(json);
    EXPECT_FALSE(result.ok()) << json;
    return result.ok() ? std::string() : result.status().message();
  };
  const auto names = [&](const std::string& json, std::string_view what) {
    const std::string text = message(json);
    EXPECT_NE(text.find(what), std::string::npos) << text;
  };
  names(TokenizerJson(R"(,"normalizer":{"type":"BertNormalizer"})"), "normalizer 'BertNormalizer'");
  names(TokenizerJson(
            R"(,"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"UnicodeScripts"}]})"),
        "pre-tokenizer 'UnicodeScripts'");
  names(TokenizerJson(R"(,"decoder":{"type":"WordPiece"})"), "decoder 'WordPiece'");
  names(TokenizerJson(R"(,"post_processor":{"type":"Mystery"})"), "post-processor 'Mystery'");
  names(
      TokenizerJson(
          R"(,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"[a&&b]"},"behavior":"Isolated","invert":false})"),
      "&&");
  names(TokenizerJson(
            R"(,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated"})"),
        "(a");
  names(TokenizerJson(
            R"(,"pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"Sideways"})"),
        "Sideways");
  names(TokenizerJson(R"(,"added_tokens":[{"id":2,"content":"<new>"}])"), "<new>");
  names(TokenizerJson(R"(,"added_tokens":[{"id":99999999,"content":"<new>"}])"), "id");
  names(R"({"model":{"type":"WordPiece","vocab":{}}})", "WordPiece");
  names(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}})", "merges[0]");
  names(R"({"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}})", "out of range");
  names(R"({"model":{"type":"BPE","vocab":{"a":4000000000},"merges":[]}})", "out of range");
  names(R"({"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":7}})", "unk_id");
  names(R"({"model":[]})", "model");
  names("[1]", "no object");
  names("{", "tokenizer.json");
}

TEST(TokenizerJson, NamesOfTheConfiguration) {
  const auto t = Tokenizer::FromJson(
      TokenizerJson(
          R"(,"added_tokens":[{"id":3,"content":"<s>","special":true},{"id":4,"content":"<pad>","special":true}])"),
      R"({"bos_token":"<s>","eos_token":{"content":"<s>"},"pad_token":"<pad>","unk_token":"<none>"})");
  ASSERT_TRUE(t.ok()) << t.status().message();
  EXPECT_EQ((*t)->special().bos, 3);
  EXPECT_EQ((*t)->special().eos, 3);
  EXPECT_EQ((*t)->special().pad, 4);
  EXPECT_FALSE((*t)->special().unk.has_value());
  EXPECT_EQ((*t)->vocab_size(), 5);
  EXPECT_EQ((*t)->TokenText(4), "<pad>");
}

TEST(TokenizerJson, ARegularExpressionThatExplodesIsAnError) {
  const auto t = Tokenizer::FromJson(TokenizerJson(
      R"(,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?:a|a|aa)+[bc]"},"behavior":"Isolated","invert":false})"));
  ASSERT_TRUE(t.ok()) << t.status().message();
  const auto ids = (*t)->Encode(std::string(60, 'a'));
  ASSERT_FALSE(ids.ok());
  EXPECT_EQ(ids.status().code(), StatusCode::kResourceExhausted);
}

TEST(TokenizerJson, AUnigramWithoutUnknownTokenSaysSo) {
  const auto t =
      Tokenizer::FromJson(R"({"model":{"type":"Unigram","vocab":[["a",-1.5]],"unk_id":null}})");
  ASSERT_TRUE(t.ok()) << t.status().message();
  EXPECT_EQ(*(*t)->Encode("aa"), Ids({0, 0}));
  EXPECT_EQ((*t)->Encode("ab").status().code(), StatusCode::kInvalidArgument);
}

TEST(SentencePiece, RefusesDamage) {
  for (const std::string_view bytes :
       {std::string_view(""), std::string_view("\x0a\xff\xff\xff\xff\x0f", 6),
        std::string_view("hello world"), std::string_view("\x0a\x03\x0a\x01\x61", 5),
        std::string_view("\x0a\x02\x0a\x05", 4)}) {
    const auto t = Tokenizer::FromSentencePiece(bytes);
    ASSERT_FALSE(t.ok());
    EXPECT_NE(t.status().message().find("SentencePiece model"), std::string::npos);
  }
}

}  // namespace
}  // namespace galen
