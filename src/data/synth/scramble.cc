#include "data/synth/scramble.h"

namespace galen {
namespace {

void ScrambleText(std::string* text, Random* random) {
  for (char& c : *text) {
    if (c >= '0' && c <= '9') c = static_cast<char>(random->Int('0', '9'));
    if (c >= 'a' && c <= 'z') c = static_cast<char>(random->Int('a', 'z'));
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(random->Int('A', 'Z'));
  }
}

void ScrambleSpans(SpanText* spans, Random* random) {
  for (Span& span : *spans) {
    ScrambleText(&span.text, random);
    span.key.clear();
  }
}

void ScrambleFields(std::vector<LabelledText>* fields, Random* random) {
  for (LabelledText& field : *fields) {
    ScrambleText(&field.label, random);
    ScrambleSpans(&field.value, random);
  }
}

}  // namespace

void Scramble(Content* content, Random* random) {
  SynthDocument& document = content->document;
  ScrambleText(&document.title, random);
  ScrambleSpans(&document.institution, random);
  for (std::string& line : document.address) ScrambleText(&line, random);
  ScrambleFields(&document.patient, random);
  ScrambleFields(&document.details, random);
  for (Block& block : document.blocks) {
    ScrambleText(&block.title, random);
    ScrambleFields(&block.fields, random);
    for (TableColumn& column : block.columns) ScrambleText(&column.title, random);
    for (TableRow& row : block.rows) {
      for (SpanText& cell : row.cells) ScrambleSpans(&cell, random);
    }
    for (SpanText& item : block.items) ScrambleSpans(&item, random);
  }
  ScrambleText(&document.signature_label, random);
  ScrambleSpans(&document.author, random);
  ScrambleText(&document.stamp, random);
  ScrambleText(&document.legend, random);
  content->fields = OrderedJson::object();
}

}  // namespace galen
