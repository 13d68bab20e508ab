// The seam between the pipeline and what reads pages: a model, or in tests a fixture.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "extract/source/case.h"

namespace galen::extract {

// What is asked about some pages of a case.
struct ReadRequest {
  const Case* source = nullptr;
  std::span<const size_t> pages;  // of source->pages()
  std::string kind;               // "lab_report"; empty: the question is about something else
  std::string instruction;        // what to do; never text of the document
  std::string schema;             // JSON Schema that the answer satisfies
  std::function<bool()> cancelled;
  std::function<void(std::string_view)> on_text;  // pieces of the answer; may be empty
};

// The bytes [begin, end) of an answer's text that one token brought, and its natural logarithm of
// the probability before the constraint.
struct TokenSpan {
  size_t begin = 0;
  size_t end = 0;
  float logprob = 0;
};

struct Answer {
  std::string text;               // JSON; cut off where complete is false
  std::vector<TokenSpan> tokens;  // empty: the reader does not know
  bool complete = true;
  bool incomplete = false;          // lacks values that the document's schema wants: not merged
  std::optional<PagePart> read_at;  // all that the reader saw for this answer; nothing: its pages
};

// Who read, for provenance: never text of a document.
struct ReaderIdentity {
  std::string model;         // as the user named it
  std::string digest;        // "sha256:..." of its weights' file or files; empty: not known
  std::string architecture;  // "gemma3"
  std::vector<std::string> adapters;
  bool sees_images = false;        // reads page pictures; else the words of the page
  std::vector<std::string> kinds;  // of documents that it can read; empty: it takes any question
};

class Reader {
 public:
  virtual ~Reader() = default;
  virtual ReaderIdentity identity() const = 0;
  // Pages that are best read at once.
  virtual size_t MostPages() const { return SIZE_MAX; }
  // One answer or several, in the order of the pages, which together are the document's.
  // ResourceExhausted: the pages do not fit at once; fewer may.
  virtual Result<std::vector<Answer>> Read(const ReadRequest& request) = 0;
};

}  // namespace galen::extract
