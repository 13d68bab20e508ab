// What a made-up document says, before it has a look: blocks of text in which each printed value
// knows its place in the truth.
#pragma once

#include <string>
#include <vector>

namespace galen {

// A piece of printed text. key: JSON pointer (RFC 6901) of the field of the truth that it prints;
// empty for labels and punctuation.
struct Span {
  std::string text;
  std::string key;
};
using SpanText = std::vector<Span>;

struct LabelledText {
  std::string label;
  SpanText value;
};

enum class Align { kLeft, kRight, kCenter };

struct TableColumn {
  std::string title;
  double weight = 1;  // share of what is left of the page's width
  Align align = Align::kLeft;
};

struct TableRow {
  std::vector<SpanText> cells;  // one a column; a heading has one for the whole width
  bool heading = false;
  bool strong = false;  // bold, where the layout makes abnormal rows bold
};

struct Block {
  enum class Kind { kFields, kTable, kParagraph, kList };
  Kind kind = Kind::kParagraph;
  std::string title;                 // may be empty
  std::vector<LabelledText> fields;  // kFields
  std::vector<TableColumn> columns;  // kTable
  std::vector<TableRow> rows;        // kTable
  std::vector<SpanText> items;       // kList; kParagraph has one
  bool numbered = false;             // kList
};

struct SynthDocument {
  std::string kind;      // as configs/schemas names it
  std::string language;  // "en", "fr", "de"
  std::string title;
  SpanText institution;
  std::vector<std::string> address;
  std::vector<LabelledText> patient;
  std::vector<LabelledText> details;  // dates and numbers of the document
  std::vector<Block> blocks;
  std::string signature_label;
  SpanText author;      // empty: nobody signs
  std::string stamp;    // text of the stamp
  std::string legend;   // small print below
  std::string page_of;  // "Page {a} of {b}"
  std::string notice;   // that no real patient is meant: at the foot of each page
  bool landscape = false;
  bool brief = false;  // fits on half a page
  bool strip = false;  // the blocks alone: no head, no end
};

}  // namespace galen
