// A Grammar as a machine over bytes. A configuration is the set of places where the machine may
// be, each with its stack of callers; configurations and their steps are remembered, so that a
// text that comes again costs a table look-up per byte. Every configuration can be completed.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "grammar/grammar.h"

namespace galen::grammar {

using ConfigId = int32_t;
inline constexpr ConfigId kDead = -1;

// One place: a node that reads, with what it has read so far.
struct Place {
  int32_t node;
  int32_t state;    // of the Dfa
  uint32_t escape;  // inside an escape of a JSON string; 0: not
  int32_t count;    // the frame's counter
  int32_t stack;    // callers; -1: none
  friend bool operator==(const Place&, const Place&) = default;
};

class Automaton {
 public:
  explicit Automaton(Grammar grammar);

  ConfigId start() const { return start_; }
  // kDead where no text of the language goes on with this byte.
  ConfigId Step(ConfigId config, uint8_t byte) {
    if (config == kDead) return kDead;
    const int32_t known = Row(config)[byte_class_[byte]];
    return known != kUnknown ? known : Compute(config, byte);
  }
  ConfigId StepText(ConfigId config, std::string_view text);
  bool accepting(ConfigId config) const { return configs_[config].accepting; }
  // True if the text may go on.
  bool open_ended(ConfigId config) const { return !configs_[config].places.empty(); }
  const std::vector<Place>& places(ConfigId config) const { return configs_[config].places; }
  const Grammar& grammar() const { return grammar_; }
  int num_classes() const { return num_classes_; }
  // One byte of each class.
  const std::vector<uint8_t>& class_bytes() const { return class_bytes_; }
  int class_size(int c) const { return class_sizes_[c]; }
  size_t num_configs() const { return configs_.size(); }
  // True once a limit was hit: too many places at once, or too many configurations. All further
  // steps that are not known yet are dead.
  bool exhausted() const { return exhausted_; }

 private:
  static constexpr int32_t kUnknown = -2;
  struct Config {
    std::vector<Place> places;
    bool accepting = false;
  };
  static constexpr size_t kRows = 64;  // of a block
  // The steps of a configuration by class, kUnknown where not computed yet; they stay in place.
  int32_t* Row(ConfigId config) const {
    const size_t c = static_cast<size_t>(config);
    return rows_[c / kRows].get() + c % kRows * static_cast<size_t>(num_classes_);
  }
  ConfigId Compute(ConfigId config, uint8_t byte);
  struct Frame {
    int32_t node, count, parent;
  };
  void FindClasses();
  void FindDeadEnds();
  void Enter(int node, int32_t count, int32_t stack);
  int32_t Push(int node, int32_t count, int32_t parent);
  ConfigId Intern();
  void StepPlace(const Place& place, uint8_t byte);
  void StepString(const Place& place, const Node& node, uint8_t byte);
  bool Fits(const StringLanguage& language, int state, int32_t count) const;
  // Reads the UTF-8 of a character (or one byte of it) inside a string; false if it may not stand
  // there.
  bool Feed(const StringLanguage& language, const uint8_t* bytes, int n, Place* place) const;
  bool FeedCodePoint(const StringLanguage& language, uint32_t code_point, Place* place) const;
  bool EscapeAlive(const StringLanguage& language, const Place& place) const;
  bool HexAlive(const StringLanguage& language, const Place& place, uint32_t value,
                int digits) const;

  Grammar grammar_;
  std::array<uint8_t, 256> byte_class_{};
  int num_classes_ = 1;
  std::vector<uint8_t> class_bytes_;
  std::vector<int> class_sizes_;
  std::vector<std::vector<uint8_t>> dead_ends_;  // states of each Dfa from which no byte goes on
  std::vector<Config> configs_;
  std::vector<std::unique_ptr<int32_t[]>> rows_;
  std::unordered_map<uint64_t, std::vector<ConfigId>> by_hash_;
  std::vector<Frame> frames_;
  std::unordered_map<uint64_t, std::vector<int32_t>> frames_by_hash_;
  std::vector<Place> building_;
  std::vector<Place> silent_;  // places that read nothing, entered while building
  std::vector<Place> todo_;
  bool building_accepts_ = false;
  bool exhausted_ = false;
  ConfigId start_ = kDead;
};

}  // namespace galen::grammar
