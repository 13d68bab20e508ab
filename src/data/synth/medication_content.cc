// Documents about drugs and diagnoses: prescription, reconciliation, list of diagnoses.
#include <algorithm>
#include <cmath>

#include "data/synth/draft.h"

namespace galen {
namespace {

std::string Numbered(std::string text, int64_t n) {
  const size_t at = text.find("{n}");
  if (at != std::string::npos) text.replace(at, 3, std::to_string(n));
  return text;
}

// The parts of a text, one behind the other.
SpanText Chain(const std::vector<SpanText>& parts, const std::string& between) {
  SpanText text;
  for (const SpanText& part : parts) {
    if (part.empty()) continue;
    if (!text.empty()) text.push_back({between, ""});
    text.insert(text.end(), part.begin(), part.end());
  }
  return text;
}

SpanText Labelled(const std::string& label, SpanText value) {
  value.insert(value.begin(), {label + " ", ""});
  return value;
}

}  // namespace

std::vector<DrawnDrug> DrawDrugs(Draft* draft, size_t count) {
  Random& random = draft->random();
  const OrderedJson& table = draft->tables().drugs;
  std::vector<DrawnDrug> drawn;
  for (const size_t i : random.Choose(table["drugs"].size(), count)) {
    const OrderedJson& drug = table["drugs"][i];
    DrawnDrug d;
    d.drug = &drug;
    d.per_day = random.Pick(drug["per_day"]).get<int>();
    const std::string key = "/medications/" + std::to_string(drawn.size()) + "/";
    const std::string name = drug["names"][draft->language()].get<std::string>();
    const double dose = random.Pick(drug["strengths"]).get<double>();
    const std::string unit =
        draft->language() == "fr" && drug["unit"] == "IU" ? "UI" : drug["unit"].get<std::string>();
    const std::string route =
        draft->Pick(table["routes"][drug["route"].get_ref<const std::string&>()]);
    const std::string frequency = draft->Pick(table["frequency"][std::to_string(d.per_day)]);
    d.name = Value(name, key + "name");
    d.dose = {{draft->ShortNumber(dose), key + "dose"}, {" ", ""}, {unit, key + "dose_unit"}};
    d.route = Value(route, key + "route");
    d.frequency = Value(frequency, key + "frequency");
    d.truth = {
        {"name", name},           {"dose", JsonNumber(dose, dose == std::floor(dose) ? 0 : 1)},
        {"dose_unit", unit},      {"route", route},
        {"frequency", frequency}, {"as_needed", d.per_day == 0}};
    drawn.push_back(std::move(d));
  }
  return drawn;
}

void DraftPrescription(Draft* d) {
  d->Head("practice");
  Random& random = d->random();
  std::vector<DrawnDrug> drugs = DrawDrugs(d, DrawRows(d, 1, 6));
  d->document().brief = drugs.size() < 4;
  const bool as_list = random.Chance(0.5);
  Block& block = d->Add(as_list ? Block::Kind::kList : Block::Kind::kTable, "");
  block.numbered = true;
  if (!as_list) {
    block.columns = {{d->Label("medication"), 2},
                     {d->Label("dose"), 1},
                     {d->Label("form"), 1},
                     {d->Label("route"), 0.8},
                     {d->Label("frequency"), 1.5},
                     {d->Label("duration"), 1},
                     {d->Label("quantity"), 0.5, Align::kRight},
                     {d->Label("refills"), 0.5, Align::kRight}};
  }
  OrderedJson& list = d->fields()["medications"] = OrderedJson::array();
  for (size_t i = 0; i < drugs.size(); ++i) {
    DrawnDrug& drug = drugs[i];
    const std::string key = "/medications/" + std::to_string(i) + "/";
    const std::string form =
        d->Pick(d->tables().drugs["forms"][(*drug.drug)["form"].get_ref<const std::string&>()]);
    constexpr int kDays[] = {5, 7, 10, 14, 28, 30, 60, 90};
    const int days = kDays[random.Int(0, 7)];
    const std::string duration = Numbered(d->Word("days"), days);
    int64_t quantity = 20;  // as needed
    if (drug.per_day > 0) quantity = int64_t{days} * drug.per_day;
    if (drug.per_day < 0) quantity = std::max(1, days / -drug.per_day);
    const int64_t refills = random.Int(0, 3);
    drug.truth["form"] = form;
    drug.truth["duration"] = duration;
    drug.truth["quantity"] = quantity;
    drug.truth["refills"] = refills;
    list.push_back(drug.truth);
    const SpanText form_text = Value(form, key + "form");
    const SpanText duration_text = Value(duration, key + "duration");
    const SpanText quantity_text = Value(std::to_string(quantity), key + "quantity");
    const SpanText refills_text = Value(std::to_string(refills), key + "refills");
    if (as_list) {
      block.items.push_back(Chain({Chain({drug.name, drug.dose, form_text}, " "),
                                   Chain({drug.route, drug.frequency, duration_text}, ", "),
                                   Chain({Labelled(d->Label("quantity"), quantity_text),
                                          Labelled(d->Label("refills"), refills_text)},
                                         "  ")},
                                  "\n"));
    } else {
      TableRow row;
      row.cells = {drug.name,      drug.dose,     form_text,     drug.route,
                   drug.frequency, duration_text, quantity_text, refills_text};
      block.rows.push_back(std::move(row));
    }
  }
  d->Sign(d->Doctor());
}

void DraftReconciliation(Draft* d) {
  d->Head("hospital");
  Random& random = d->random();
  d->Allergies();
  Block& block = d->Add(Block::Kind::kTable, d->Label("medications"));
  block.columns = {{d->Label("medication"), 2}, {d->Label("dose"), 1},
                   {d->Label("route"), 0.8},    {d->Label("frequency"), 1.5},
                   {d->Label("indication"), 2}, {d->Label("action"), 1}};
  OrderedJson& list = d->fields()["medications"] = OrderedJson::array();
  for (DrawnDrug& drug : DrawDrugs(d, DrawRows(d, 6, 14))) {
    const std::string key = "/medications/" + std::to_string(list.size()) + "/";
    SpanText indication;
    drug.truth["indication"] = nullptr;
    if (random.Chance(0.85)) {
      for (const OrderedJson& diagnosis : d->tables().diagnoses["diagnoses"]) {
        if (diagnosis["icd10"] != (*drug.drug)["indication"]) continue;
        const std::string name = diagnosis["names"][d->language()].get<std::string>();
        indication = Value(name, key + "indication");
        drug.truth["indication"] = name;
      }
    }
    const char* const actions[] = {"continue", "continue", "continue", "change",
                                   "stop",     "new",      "hold"};
    const std::string action = actions[random.Int(0, 6)];
    drug.truth["action"] = action;
    list.push_back(drug.truth);
    TableRow row;
    row.cells = {drug.name,      drug.dose,  drug.route,
                 drug.frequency, indication, Value(d->Label(action), key + "action")};
    row.strong = action != "continue";
    block.rows.push_back(std::move(row));
  }
  d->Sign(d->Doctor());
}

void DraftDiagnoses(Draft* d) {
  Random& random = d->random();
  d->Head(random.Chance(0.5) ? "practice" : "hospital");
  Block& block = d->Add(Block::Kind::kTable, "");
  block.columns = {{d->Label("diagnosis"), 3},
                   {d->Label("icd10"), 1},
                   {d->Label("status"), 1},
                   {d->Label("onset_date"), 1}};
  OrderedJson& list = d->fields()["diagnoses"] = OrderedJson::array();
  const OrderedJson& all = d->tables().diagnoses["diagnoses"];
  for (const size_t i : random.Choose(all.size(), DrawRows(d, 2, 9))) {
    const std::string key = "/diagnoses/" + std::to_string(list.size()) + "/";
    const std::string name = all[i]["names"][d->language()].get<std::string>();
    const std::string code = all[i]["icd10"].get<std::string>();
    const char* const states[] = {"active", "active", "resolved", "monitoring"};
    const std::string status = states[random.Int(0, 3)];
    const bool coded = random.Chance(0.85), dated = random.Chance(0.8);
    const int64_t onset = d->today() - random.Int(20, 6000);
    OrderedJson row = {
        {"name", name}, {"icd10", nullptr}, {"status", status}, {"onset_date", nullptr}};
    if (coded) row["icd10"] = code;
    if (dated) row["onset_date"] = Draft::IsoDate(onset);
    list.push_back(std::move(row));
    TableRow cells;
    cells.cells = {Value(name, key + "name"), coded ? Value(code, key + "icd10") : SpanText{},
                   Value(d->Label(status), key + "status"),
                   dated ? Value(d->Date(onset), key + "onset_date") : SpanText{}};
    block.rows.push_back(std::move(cells));
  }
  d->Allergies();
  if (random.Chance(0.6)) {
    std::map<std::string, std::string> values;
    const OrderedJson& letters = d->tables().letters;
    d->Paragraph(
        "comment", "comment",
        d->Fill(d->Triple(random.Pick(letters["comments"])), letters["comment_slots"], &values));
  } else {
    d->fields()["comment"] = nullptr;
  }
  d->Sign(d->Doctor());
}

}  // namespace galen
