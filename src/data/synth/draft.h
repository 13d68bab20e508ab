// A document while it is being invented: its text and its truth grow together.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "data/synth/content.h"
#include "data/synth/tables.h"

namespace galen {

class Draft {
 public:
  Draft(std::string_view kind, const ContentOptions& options, Random* random);

  Random& random() { return *random_; }
  const ContentOptions& options() const { return options_; }
  const std::string& language() const { return options_.language; }
  SynthDocument& document() { return content_.document; }
  OrderedJson& fields() { return content_.fields; }
  Content Take() { return std::move(content_); }

  // A label of configs/synth/labels.json in the document's language; the same synonym each time.
  const std::string& Label(const std::string& name);
  // One of the synonyms anew: for printed values.
  const std::string& Word(const std::string& name);
  // {"en": [...], ...}: one of the list.
  const std::string& Pick(const OrderedJson& by_language);
  // [en, fr, de]
  std::string Triple(const OrderedJson& texts) const;
  // The same with its {a} filled from `slots` {"a": [low, high]}: `values` keeps what was drawn.
  std::string Fill(std::string text, const OrderedJson& slots,
                   std::map<std::string, std::string>* values);

  // Days since 1970-01-01 as the document prints dates, and as ISO 8601.
  std::string Date(int64_t day) const;
  static std::string IsoDate(int64_t day);
  int64_t today() const { return today_; }

  // In the document's language, with so many decimals; *truth is the value that it shows.
  std::string Number(double value, int decimals, double* truth) const;
  // The shortest text of the value: 2.5, 40.
  std::string ShortNumber(double value) const;

  std::string PersonName(bool female);
  std::string Doctor();
  std::string Place() { return Pick(tables_.names["places"]); }
  const SynthTables& tables() const { return tables_; }

  // institution, patient and document_date, printed and true. `house`: "hospital", "laboratory" or
  // "practice".
  void Head(const std::string& house);
  // fields[name] = text, printed under its label among the details.
  void Detail(const std::string& label, const std::string& name, const std::string& text,
              const OrderedJson& truth);
  // The signing person: the last field of every kind.
  void Sign(const std::string& name);

  // A new block at the end of the document.
  Block& Add(Block::Kind kind, const std::string& title);
  // A paragraph that prints one field.
  void Paragraph(const std::string& label, const std::string& name, const std::string& text);
  // A list that prints an array of texts.
  void List(const std::string& label, const std::string& name,
            const std::vector<std::string>& texts);
  // Allergies: printed as a field with commas.
  void Allergies();

 private:
  const ContentOptions& options_;
  Random* random_;
  const SynthTables& tables_;
  Content content_;
  std::map<std::string, const std::string*> labels_;
  int64_t today_ = 0;
  int date_style_ = 0;
};

// A value and its key, as a whole text.
inline SpanText Value(std::string text, std::string key) {
  SpanText spans;
  spans.push_back({std::move(text), std::move(key)});
  return spans;
}
inline SpanText Plain(std::string text) { return Value(std::move(text), ""); }

// What is printed without decimals is whole in JSON, too: 40, not 40.0.
inline OrderedJson JsonNumber(double value, int decimals) {
  if (decimals == 0) return static_cast<int64_t>(std::llround(value));
  return value;
}

// Contents by kind; each fills the draft.
void DraftLabReport(Draft* draft);
void DraftPrescription(Draft* draft);
void DraftReconciliation(Draft* draft);
void DraftDischarge(Draft* draft);
void DraftRadiology(Draft* draft);
void DraftCardiology(Draft* draft);
void DraftOperation(Draft* draft);
void DraftDiagnoses(Draft* draft);
void DraftVitals(Draft* draft);

// A drug of a document and what is printed of it; the keys of the spans are those of
// /medications/INDEX.
struct DrawnDrug {
  const OrderedJson* drug = nullptr;
  int per_day = 0;  // as configs/clinical/drugs.json: 0 as needed, -N every N days
  SpanText name, dose, route, frequency;
  OrderedJson truth;  // name, dose, dose_unit, route, frequency, as_needed
};
// `count` different drugs.
std::vector<DrawnDrug> DrawDrugs(Draft* draft, size_t count);
// The number of rows of the main table: the options' or [low, high].
size_t DrawRows(Draft* draft, int64_t low, int64_t high);

}  // namespace galen
