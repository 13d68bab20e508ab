// GBNF grammars: compiled or refused with a reason; what was compiled can always be completed.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "grammar/automaton.h"
#include "grammar/gbnf.h"

using namespace galen;
using namespace galen::grammar;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Result<Grammar> grammar = CompileGbnf(text);
  if (!grammar.ok()) {
    GALEN_CHECK(!grammar.status().message().empty());
    return 0;
  }
  Automaton automaton(*std::move(grammar));
  ConfigId config = automaton.start();
  // A walk whose turns the input chooses: where a text is not complete, some byte goes on.
  for (size_t i = 0; i < 200 && config != kDead; ++i) {
    ConfigId next = kDead;
    const int first = size == 0 ? 0 : data[i % size];
    for (int b = 0; b < 256 && next == kDead; ++b)
      next = automaton.Step(config, static_cast<uint8_t>(first + b));
    if (automaton.exhausted()) break;
    GALEN_CHECK(next != kDead || automaton.accepting(config));
    config = next;
  }
  return 0;
}
