// Letters: discharge summary, radiology report, cardiology consultation, operative note.
#include <cstdio>

#include "data/synth/draft.h"

namespace galen {
namespace {

using Values = std::map<std::string, std::string>;

// Sentences one behind the other.
std::string Join(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) {
    if (!text.empty()) text += ' ';
    text += sentence;
  }
  return text;
}

// Findings and the like: a list, or sentences of one paragraph.
void Statements(Draft* d, const std::string& label, const std::string& name,
                const std::vector<std::string>& texts) {
  d->List(label, name, texts);
  Block& block = d->document().blocks.back();
  if (d->random().Chance(0.5)) return;
  SpanText paragraph;
  for (SpanText& item : block.items) {
    if (!paragraph.empty()) paragraph.push_back({" ", ""});
    paragraph.push_back(std::move(item[0]));
  }
  block.kind = Block::Kind::kParagraph;
  block.items = {std::move(paragraph)};
}

LabelledText Whole(Draft* d, const std::string& label, int64_t value, const std::string& unit,
                   const std::string& key) {
  SpanText text = Value(std::to_string(value), key);
  if (!unit.empty()) text.push_back({" " + unit, ""});
  return {d->Label(label), std::move(text)};
}

}  // namespace

void DraftDischarge(Draft* d) {
  Random& random = d->random();
  d->Head("hospital");
  const int64_t days = random.Int(3, 16);
  const int64_t admitted = d->today() - days;
  d->Detail("admission_date", "admission_date", d->Date(admitted), Draft::IsoDate(admitted));
  d->Detail("discharge_date", "discharge_date", d->Date(d->today()), Draft::IsoDate(d->today()));
  const OrderedJson& scenario = random.Pick(d->tables().letters["discharge"]);
  Values values;

  OrderedJson& diagnoses = d->fields()["diagnoses"] = OrderedJson::array();
  const bool coded = random.Chance(0.7);
  const auto diagnosis = [&](const std::string& name, const std::string& code,
                             const char* rank) -> SpanText {
    const std::string key = "/diagnoses/" + std::to_string(diagnoses.size()) + "/";
    diagnoses.push_back(
        {{"name", name}, {"icd10", coded ? OrderedJson(code) : OrderedJson()}, {"rank", rank}});
    SpanText text = Value(name, key + "name");
    if (coded) {
      text.push_back({" (", ""});
      text.push_back({code, key + "icd10"});
      text.push_back({")", ""});
    }
    return text;
  };
  Block& principal = d->Add(Block::Kind::kList, d->Label("principal_diagnosis"));
  principal.items.push_back(
      diagnosis(d->Triple(scenario["diagnosis"]), scenario["icd10"].get<std::string>(), "primary"));
  Block& others = d->Add(Block::Kind::kList, d->Label("other_diagnoses"));
  const OrderedJson& all = d->tables().diagnoses["diagnoses"];
  const std::string first = scenario["icd10"].get<std::string>().substr(0, 3);
  for (const size_t i : random.Choose(all.size(), static_cast<size_t>(random.Int(1, 5)))) {
    const std::string code = all[i]["icd10"].get<std::string>();
    if (code.substr(0, 3) == first) continue;
    others.items.push_back(
        diagnosis(all[i]["names"][d->language()].get<std::string>(), code, "secondary"));
  }
  if (others.items.empty()) d->document().blocks.pop_back();

  Block& procedures = d->Add(Block::Kind::kList, d->Label("procedures"));
  OrderedJson& acts = d->fields()["procedures"] = OrderedJson::array();
  for (const OrderedJson& procedure : scenario["procedures"]) {
    const std::string key = "/procedures/" + std::to_string(acts.size()) + "/";
    const int64_t day = admitted + random.Int(0, days - 1);
    const std::string name = d->Triple(procedure);
    acts.push_back({{"name", name}, {"date", Draft::IsoDate(day)}});
    procedures.items.push_back({{name, key + "name"}, {", ", ""}, {d->Date(day), key + "date"}});
  }
  d->Allergies();
  std::vector<std::string> course;
  for (const OrderedJson& sentence : scenario["course"])
    course.push_back(d->Fill(d->Triple(sentence), scenario["slots"], &values));
  d->Paragraph("hospital_course", "hospital_course", Join(course));

  Block& table = d->Add(Block::Kind::kTable, d->Label("discharge_medications"));
  table.columns = {{d->Label("medication"), 2},
                   {d->Label("dose"), 1},
                   {d->Label("route"), 1},
                   {d->Label("frequency"), 1.5}};
  OrderedJson& medications = d->fields()["medications"] = OrderedJson::array();
  for (const DrawnDrug& drug : DrawDrugs(d, DrawRows(d, 3, 9))) {
    medications.push_back(drug.truth);
    TableRow row;
    row.cells = {drug.name, drug.dose, drug.route, drug.frequency};
    table.rows.push_back(std::move(row));
  }
  Block& follow = d->Add(Block::Kind::kList, d->Label("follow_up"));
  OrderedJson& visits = d->fields()["follow_up"] = OrderedJson::array();
  for (const OrderedJson& who : scenario["follow_up"]) {
    const std::string key = "/follow_up/" + std::to_string(visits.size()) + "/";
    const int64_t day = d->today() + random.Int(3, 60);
    const std::string name = d->Triple(who);
    visits.push_back({{"with", name}, {"date", Draft::IsoDate(day)}});
    follow.items.push_back({{name, key + "with"}, {": ", ""}, {d->Date(day), key + "date"}});
  }
  d->Sign(d->Doctor());
}

void DraftRadiology(Draft* d) {
  Random& random = d->random();
  d->Head("hospital");
  const OrderedJson& exam = random.Pick(d->tables().letters["radiology"]);
  const std::string examination = d->Triple(exam["examination"]);
  d->Detail("examination", "examination", examination, examination);
  d->fields()["modality"] = exam["modality"];
  const int64_t day = d->today() - random.Int(0, 3);
  d->Detail("exam_date", "exam_date", d->Date(day), Draft::IsoDate(day));
  const std::string referrer = d->Doctor();
  d->Detail("referrer", "referring_physician", referrer, referrer);
  d->Paragraph("clinical_indication", "indication", d->Triple(random.Pick(exam["indications"])));
  d->Paragraph("technique", "technique", d->Triple(exam["technique"]));
  std::vector<std::string> findings, impression;
  Values values;
  for (const OrderedJson& group : exam["groups"]) {
    const OrderedJson& item =
        random.Chance(0.45)
            ? group[0]
            : group[static_cast<size_t>(random.Int(0, static_cast<int64_t>(group.size()) - 1))];
    const OrderedJson slots = item.value("slots", OrderedJson::object());
    findings.push_back(d->Fill(d->Triple(item["finding"]), slots, &values));
    if (item.contains("impression"))
      impression.push_back(d->Fill(d->Triple(item["impression"]), slots, &values));
  }
  if (impression.empty()) impression.push_back(d->Triple(d->tables().letters["radiology_normal"]));
  Statements(d, "findings", "findings", findings);
  Statements(d, "impression", "impression", impression);
  d->Sign(d->Doctor());
}

void DraftCardiology(Draft* d) {
  Random& random = d->random();
  const OrderedJson& source = d->tables().letters["cardiology"];
  const OrderedJson& slots = source["slots"];
  Values values;
  d->Head("hospital");
  const std::string referrer = d->Doctor();
  d->Detail("referrer", "referring_physician", referrer, referrer);
  d->Paragraph("reason", "reason", d->Triple(random.Pick(source["reasons"])));
  std::vector<std::string> history, factors, assessment, recommendations;
  for (const OrderedJson& sentence : source["history"]) {
    if (history.empty() || random.Chance(0.6))
      history.push_back(d->Fill(d->Triple(sentence), slots, &values));
  }
  d->Paragraph("history", "history", Join(history));
  const OrderedJson& risks = source["risk_factors"];
  for (const size_t i : random.Choose(risks.size(), static_cast<size_t>(random.Int(1, 4))))
    factors.push_back(d->Fill(d->Triple(risks[i]), slots, &values));
  d->List("risk_factors", "risk_factors", factors);

  const OrderedJson& rhythm = random.Pick(source["rhythms"]);
  const OrderedJson& echo = random.Pick(source["echo"]);
  const int64_t systolic = random.Int(104, 176), diastolic = systolic / 2 + random.Int(2, 12);
  const std::string rhythm_name = d->Triple(rhythm["name"]);
  int64_t rate = random.Int(62, 98);
  if (rhythm_name.find("achy") != std::string::npos) rate = random.Int(101, 138);
  if (rhythm_name.find("rady") != std::string::npos) rate = random.Int(38, 58);
  const int64_t spo2 = random.Int(92, 99);
  d->fields()["examination"] = {
      {"systolic", systolic}, {"diastolic", diastolic}, {"heart_rate", rate}, {"spo2", spo2}};
  Block& physical = d->Add(Block::Kind::kFields, d->Label("physical"));
  physical.fields = {{d->Label("blood_pressure"),
                      {{std::to_string(systolic), "/examination/systolic"},
                       {"/", ""},
                       {std::to_string(diastolic), "/examination/diastolic"},
                       {" mmHg", ""}}},
                     Whole(d, "heart_rate", rate, "/min", "/examination/heart_rate"),
                     Whole(d, "spo2", spo2, "%", "/examination/spo2")};

  const int64_t pr = random.Int(128, 214), qrs = random.Int(78, 142), qtc = random.Int(382, 474);
  OrderedJson& ecg = d->fields()["ecg"];
  ecg = {{"rhythm", rhythm_name},
         {"rate", rate},
         {"pr_ms", nullptr},
         {"qrs_ms", qrs},
         {"qtc_ms", qtc}};
  Block& trace = d->Add(Block::Kind::kFields, d->Label("ecg"));
  trace.fields = {{d->Label("rhythm"), Value(rhythm_name, "/ecg/rhythm")},
                  Whole(d, "rate", rate, "/min", "/ecg/rate")};
  if (rhythm["pr"].get<bool>()) {
    ecg["pr_ms"] = pr;
    trace.fields.push_back({"PR", {{std::to_string(pr), "/ecg/pr_ms"}, {" ms", ""}}});
  }
  trace.fields.push_back({"QRS", {{std::to_string(qrs), "/ecg/qrs_ms"}, {" ms", ""}}});
  trace.fields.push_back({"QTc", {{std::to_string(qtc), "/ecg/qtc_ms"}, {" ms", ""}}});

  const int64_t lvef = random.Int(echo["lvef"][0].get<int64_t>(), echo["lvef"][1].get<int64_t>());
  const int64_t lvedd = random.Int(42, lvef < 40 ? 68 : 55);
  const std::string finding = d->Triple(echo["finding"]);
  d->fields()["echocardiography"] = {
      {"lvef_percent", lvef}, {"lvedd_mm", lvedd}, {"finding", finding}};
  Block& heart = d->Add(Block::Kind::kFields, d->Label("echo"));
  heart.fields = {Whole(d, "lvef", lvef, "%", "/echocardiography/lvef_percent"),
                  Whole(d, "lvedd", lvedd, "mm", "/echocardiography/lvedd_mm"),
                  {d->Label("finding"), Value(finding, "/echocardiography/finding")}};
  const OrderedJson& pairs = source["pairs"];
  for (const size_t i : random.Choose(pairs.size(), static_cast<size_t>(random.Int(1, 3)))) {
    assessment.push_back(d->Fill(d->Triple(pairs[i]["assessment"]), slots, &values));
    recommendations.push_back(d->Fill(d->Triple(pairs[i]["recommendation"]), slots, &values));
  }
  Statements(d, "assessment", "assessment", assessment);
  Statements(d, "recommendations", "recommendations", recommendations);
  d->Sign(d->Doctor());
}

void DraftOperation(Draft* d) {
  Random& random = d->random();
  const OrderedJson& source = d->tables().letters["operative"];
  const OrderedJson& slots = source["slots"];
  const OrderedJson& operation = random.Pick(source["cases"]);
  Values values;
  d->Head("hospital");
  Block& facts = d->Add(Block::Kind::kFields, "");
  const auto fact = [&](const std::string& label, const std::string& name,
                        const std::string& text) {
    d->fields()[name] = text;
    facts.fields.push_back({d->Label(label), Value(text, "/" + name)});
  };
  fact("procedure", "procedure", d->Triple(operation["procedure"]));
  const std::string surgeon = d->Doctor();
  fact("surgeon", "surgeon", surgeon);
  if (random.Chance(0.8)) {
    fact("assistant", "assistant", d->Doctor());
  } else {
    d->fields()["assistant"] = nullptr;
  }
  fact("anesthesiologist", "anesthesiologist", d->Doctor());
  fact("anesthesia", "anesthesia", d->Triple(operation["anesthesia"]));
  fact("preoperative_diagnosis", "preoperative_diagnosis", d->Triple(operation["preoperative"]));
  fact("postoperative_diagnosis", "postoperative_diagnosis", d->Triple(operation["postoperative"]));
  const auto clock = [](int64_t minutes) {
    char text[16];
    std::snprintf(text, sizeof(text), "%02d:%02d", static_cast<int>(minutes / 60 % 24),
                  static_cast<int>(minutes % 60));
    return std::string(text);
  };
  const int64_t begin = random.Int(7 * 60, 17 * 60);
  const int64_t length =
      random.Int(operation["minutes"][0].get<int64_t>(), operation["minutes"][1].get<int64_t>());
  fact("start_time", "start_time", clock(begin));
  fact("end_time", "end_time", clock(begin + length));
  d->Paragraph("findings", "findings", d->Fill(d->Triple(operation["findings"]), slots, &values));
  std::vector<std::string> description;
  for (const OrderedJson& sentence : operation["description"])
    description.push_back(d->Fill(d->Triple(sentence), slots, &values));
  d->Paragraph("description", "description", Join(description));
  const int64_t blood = random.Int(operation["blood_loss"][0].get<int64_t>() / 5,
                                   operation["blood_loss"][1].get<int64_t>() / 5) *
                        5;
  d->fields()["estimated_blood_loss_ml"] = blood;
  Block& end = d->Add(Block::Kind::kFields, "");
  end.fields.push_back(Whole(d, "blood_loss", blood, d->language() == "de" ? "ml" : "mL",
                             "/estimated_blood_loss_ml"));
  const auto last = [&](const std::string& name, const std::string& field,
                        const std::string& text) {
    d->fields()[field] = text;
    end.fields.push_back({d->Label(name), Value(text, "/" + field)});
  };
  last("specimens", "specimens", d->Triple(operation["specimens"]));
  last("complications", "complications",
       d->Triple(source["complications"][random.Chance(0.85) ? 0 : 1]));
  last("condition", "condition", d->Triple(random.Pick(source["conditions"])));
  d->Sign(surgeon);
}

}  // namespace galen
