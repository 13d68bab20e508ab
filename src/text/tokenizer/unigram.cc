// Unigram: the segmentation of the greatest total score (Viterbi).
#include <algorithm>
#include <limits>

#include "text/tokenizer/model.h"
#include "text/tokenizer/unicode.h"

namespace galen::text {
namespace {

constexpr double kUnknownPenalty = 10.0;  // SentencePiece's kUnkPenalty

class Unigram : public Model {
 public:
  Unigram(const Vocab& vocab, UnigramOptions unigram, ModelOptions options)
      : vocab_(vocab), unigram_(std::move(unigram)), options_(std::move(options)) {
    std::vector<std::pair<std::string_view, int32_t>> entries;
    double lowest = std::numeric_limits<double>::infinity(), highest = -lowest;
    for (size_t id = 0; id < vocab.size(); ++id) {
      const bool in_trie = unigram_.in_trie.empty() || unigram_.in_trie[id];
      if (in_trie)
        entries.emplace_back(vocab.Text(static_cast<int32_t>(id)), static_cast<int32_t>(id));
      // SentencePiece takes the extremes over the normal pieces only, Hugging Face over all.
      if (!in_trie || IsUserDefined(static_cast<int32_t>(id))) continue;
      lowest = std::min(lowest, unigram_.scores[id]);
      highest = std::max(highest, unigram_.scores[id]);
    }
    trie_ = Trie(std::move(entries));
    unknown_score_ = lowest - kUnknownPenalty;
    highest_ = highest;
    if (options_.byte_fallback) bytes_ = FindByteTokens(vocab);
  }

  Status Encode(std::string_view piece, bool, bool allow_control,
                std::vector<int32_t>* ids) const override {
    return unigram_.single_precision ? Viterbi<float>(piece, allow_control, ids)
                                     : Viterbi<double>(piece, allow_control, ids);
  }

 private:
  template <typename Real>
  struct Node {
    Real score = 0;
    uint32_t begin = kNowhere;
    int32_t id = 0;
  };
  static constexpr uint32_t kNowhere = UINT32_MAX;

  bool IsUserDefined(int32_t id) const {
    return static_cast<size_t>(id) < unigram_.user_defined.size() && unigram_.user_defined[id];
  }
  bool IsControl(int32_t id) const {
    return static_cast<size_t>(id) < options_.control.size() && options_.control[id];
  }

  template <typename Real>
  Status Viterbi(std::string_view text, bool allow_control, std::vector<int32_t>* ids) const {
    thread_local std::vector<Node<Real>> best;  // by the byte where a token ends
    best.assign(text.size() + 1, {});
    for (size_t at = 0; at < text.size();) {
      const size_t length = Utf8Length(text[at]);
      const Real so_far = best[at].score;
      bool single = false;
      const auto offer = [&](size_t size, Real score, int32_t id) {
        Node<Real>& node = best[at + size];
        if (node.begin == kNowhere || so_far + score > node.score) {
          node = {so_far + score, static_cast<uint32_t>(at), id};
        }
      };
      trie_.Prefixes(text.substr(at), [&](size_t size, int32_t id) {
        if (!allow_control && IsControl(id)) return;
        // SentencePiece lets a user-defined token win over anything that normal tokens could add up
        // to.
        const Real score = IsUserDefined(id) ? static_cast<Real>(size * highest_ - 0.1)
                                             : static_cast<Real>(unigram_.scores[id]);
        offer(size, score, id);
        single |= size == length;
      });
      if (!single) {
        if (!options_.unk) {
          return InvalidArgument(
              "the character at byte " + std::to_string(at) +
              " of a piece has no token, and the vocabulary has no unknown token");
        }
        offer(length, static_cast<Real>(unknown_score_), *options_.unk);
      }
      at += length;
    }
    thread_local std::vector<std::pair<uint32_t, uint32_t>> path;  // begin, end; backwards
    path.clear();
    for (auto end = static_cast<uint32_t>(text.size()); end > 0; end = best[end].begin)
      path.push_back({best[end].begin, end});
    for (size_t i = path.size(); i-- > 0;) {
      auto [begin, end] = path[i];
      const int32_t id = best[end].id;
      if (options_.unk != id) {
        ids->push_back(id);
        continue;
      }
      while (i > 0 && options_.unk == best[path[i - 1].second].id) end = path[--i].second;
      AddUnknown(text.substr(begin, end - begin), allow_control, ids);
    }
    if (best.capacity() > (1u << 20)) std::vector<Node<Real>>().swap(best);
    return OkStatus();
  }

  // A run of unknown characters: bytes if there are tokens for all of them.
  void AddUnknown(std::string_view run, bool allow_control, std::vector<int32_t>* ids) const {
    const int32_t whole = vocab_.Find(run);
    if (!unigram_.single_precision && whole != Vocab::kNone &&
        (allow_control || !IsControl(whole))) {
      ids->push_back(whole);
      return;
    }
    bool bytes = !bytes_.empty();
    for (const char c : run) bytes = bytes && bytes_[static_cast<unsigned char>(c)] != Vocab::kNone;
    if (!bytes) {
      ids->push_back(*options_.unk);
      return;
    }
    for (const char c : run) ids->push_back(bytes_[static_cast<unsigned char>(c)]);
  }

  const Vocab& vocab_;
  const UnigramOptions unigram_;
  const ModelOptions options_;
  Trie trie_;
  double unknown_score_ = 0, highest_ = 0;
  std::vector<int32_t> bytes_;
};

}  // namespace

std::unique_ptr<Model> MakeUnigram(const Vocab& vocab, UnigramOptions unigram,
                                   ModelOptions options) {
  return std::make_unique<Unigram>(vocab, std::move(unigram), std::move(options));
}

}  // namespace galen::text
