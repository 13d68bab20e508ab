#include "data/synth/draft.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "data/synth/replace.h"

namespace galen {
namespace {

constexpr const char* kMonths[3][12] = {
    {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"},
    {"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre",
     "octobre", "novembre", "décembre"},
    {"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober",
     "November", "Dezember"}};

size_t LanguageIndex(const std::string& language) {
  return language == "en" ? 0 : language == "fr" ? 1 : 2;
}

std::string Format(const char* format, int a, int b, int c) {
  char text[64];
  std::snprintf(text, sizeof(text), format, a, b, c);
  return text;
}

}  // namespace

Draft::Draft(std::string_view kind, const ContentOptions& options, Random* random)
    : options_(options), random_(random), tables_(BuiltinSynthTables()) {
  document().kind = kind;
  document().language = options.language;
  today_ = random_->Int(16801, 20453);  // 2016-01-01 to 2025-12-31
  date_style_ = static_cast<int>(random_->Int(0, 2));
  document().title = Label("title_" + std::string(kind));
  document().page_of = Label("page");
  document().notice = Label("fictional");
  document().stamp = Word("stamp");
  fields() = OrderedJson::object();
}

const std::string& Draft::Label(const std::string& name) {
  const auto [at, fresh] = labels_.try_emplace(name, nullptr);
  if (fresh) at->second = &Word(name);
  return *at->second;
}

const std::string& Draft::Word(const std::string& name) { return Pick(tables_.labels.at(name)); }

const std::string& Draft::Pick(const OrderedJson& by_language) {
  const OrderedJson& list = by_language.at(language());
  return random_->Pick(list).get_ref<const std::string&>();
}

std::string Draft::Triple(const OrderedJson& texts) const {
  return texts.at(LanguageIndex(language())).get<std::string>();
}

std::string Draft::Fill(std::string text, const OrderedJson& slots,
                        std::map<std::string, std::string>* values) {
  for (const auto& [name, range] : slots.items()) {
    const std::string place = "{" + name + "}";
    if (text.find(place) == std::string::npos) continue;
    const auto [at, fresh] = values->try_emplace(name);
    if (fresh)
      at->second = std::to_string(random_->Int(range[0].get<int64_t>(), range[1].get<int64_t>()));
    ReplaceAll(&text, place, at->second);
  }
  return text;
}

std::string Draft::IsoDate(int64_t day) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  return Format("%04d-%02d-%02d", static_cast<int>(date.year()),
                static_cast<int>(static_cast<unsigned>(date.month())),
                static_cast<int>(static_cast<unsigned>(date.day())));
}

std::string Draft::Date(int64_t day) const {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  const int y = static_cast<int>(date.year());
  const int m = static_cast<int>(static_cast<unsigned>(date.month()));
  const int d = static_cast<int>(static_cast<unsigned>(date.day()));
  const size_t language_index = LanguageIndex(language());
  const char* month = kMonths[language_index][m - 1];
  if (language_index == 0) {
    // 03/04 means two things in English: months have names where the day could be one.
    if (date_style_ == 0) return IsoDate(day);
    if (date_style_ == 1 && d > 12)
      return options_.si ? Format("%02d/%02d/%04d", d, m, y) : Format("%02d/%02d/%04d", m, d, y);
    return Format("%02d ", d, 0, 0) + month + Format(" %04d", y, 0, 0);
  }
  if (date_style_ == 2) {
    return Format(language_index == 2 ? "%d. " : "%d ", d, 0, 0) + month + Format(" %04d", y, 0, 0);
  }
  return Format(language_index == 1 ? "%02d/%02d/%04d" : "%02d.%02d.%04d", d, m, y);
}

std::string Draft::Number(double value, int decimals, double* truth) const {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", decimals, value);
  if (truth != nullptr) *truth = std::strtod(text, nullptr);
  std::string printed = text;
  if (language() != "en") ReplaceAll(&printed, ".", ",");
  return printed;
}

std::string Draft::ShortNumber(double value) const {
  char text[64];
  std::snprintf(text, sizeof(text), "%g", value);
  std::string printed = text;
  if (language() != "en") ReplaceAll(&printed, ".", ",");
  return printed;
}

std::string Draft::PersonName(bool female) {
  const OrderedJson& people = tables_.names["people"][language()];
  const std::string& given =
      random_->Pick(people[female ? "female" : "male"]).get_ref<const std::string&>();
  const std::string& family = random_->Pick(people["family"]).get_ref<const std::string&>();
  return given + " " + family;
}

std::string Draft::Doctor() {
  std::string title = Pick(tables_.names["titles"]);
  ReplaceAll(&title, "{}", PersonName(random_->Chance(0.5)));
  return title;
}

void Draft::Head(const std::string& house) {
  const std::string place = Place();
  std::string institution = Pick(tables_.names[house]);
  ReplaceAll(&institution, "{}", place);
  fields()["institution"] = institution;
  document().institution = Value(institution, "/institution");
  std::string street = Pick(tables_.names["streets"]);
  ReplaceAll(&street, "{n}", std::to_string(random_->Int(1, 98)));
  std::string phone = Pick(tables_.names["phone"]);
  ReplaceAll(&phone, "{n}", std::to_string(random_->Int(10, 99)));
  document().address = {street + ", " + place, phone};

  const bool female = random_->Chance(0.5);
  const std::string name = PersonName(female);
  const int64_t born = today_ - random_->Int(18 * 365, 93 * 365);
  OrderedJson& patient = fields()["patient"];
  patient = {
      {"name", name}, {"date_of_birth", IsoDate(born)}, {"sex", nullptr}, {"patient_id", nullptr}};
  auto& printed = document().patient;
  printed.push_back({Label("name"), Value(name, "/patient/name")});
  printed.push_back({Label("date_of_birth"), Value(Date(born), "/patient/date_of_birth")});
  // A laboratory's ranges may depend on it, so that it is printed there always.
  if (document().kind == "lab_report" || random_->Chance(0.7)) {
    patient["sex"] = female ? "female" : "male";
    printed.push_back({Label("sex"), Value(Label(female ? "female" : "male"), "/patient/sex")});
  }
  if (random_->Chance(0.75)) {
    const char* formats[] = {"%d-%d", "%d.%d", "P%d%d", "%d%d"};
    char id[40];
    std::snprintf(id, sizeof(id), formats[random_->Int(0, 3)],
                  static_cast<int>(random_->Int(100, 999)),
                  static_cast<int>(random_->Int(1000, 9999)));
    patient["patient_id"] = id;
    printed.push_back({Label("patient_id"), Value(id, "/patient/patient_id")});
  }
  const bool report = document().kind == "lab_report" || document().kind == "radiology_report";
  Detail(report ? "document_date" : "date", "document_date", Date(today_), IsoDate(today_));
}

void Draft::Detail(const std::string& label, const std::string& name, const std::string& text,
                   const OrderedJson& truth) {
  fields()[name] = truth;
  document().details.push_back({Label(label), Value(text, "/" + name)});
}

void Draft::Sign(const std::string& name) {
  fields()["author"] = name;
  document().signature_label = Label("signed");
  document().author = Value(name, "/author");
}

Block& Draft::Add(Block::Kind kind, const std::string& title) {
  Block& block = document().blocks.emplace_back();
  block.kind = kind;
  block.title = title;
  return block;
}

void Draft::Paragraph(const std::string& label, const std::string& name, const std::string& text) {
  fields()[name] = text;
  Add(Block::Kind::kParagraph, Label(label)).items.push_back(Value(text, "/" + name));
}

void Draft::List(const std::string& label, const std::string& name,
                 const std::vector<std::string>& texts) {
  Block& block = Add(Block::Kind::kList, Label(label));
  block.numbered = random_->Chance(0.4);
  OrderedJson& list = fields()[name] = OrderedJson::array();
  for (size_t i = 0; i < texts.size(); ++i) {
    block.items.push_back(Value(texts[i], "/" + name + "/" + std::to_string(i)));
    list.push_back(texts[i]);
  }
}

void Draft::Allergies() {
  OrderedJson& list = fields()["allergies"] = OrderedJson::array();
  SpanText printed;
  if (random_->Chance(0.4)) {
    printed = Plain(Word("none_known"));
  } else {
    const OrderedJson& all = tables_.drugs["allergens"][language()];
    for (const size_t i : random_->Choose(all.size(), static_cast<size_t>(random_->Int(1, 3)))) {
      if (!list.empty()) printed.push_back({", ", ""});
      printed.push_back({all[i].get<std::string>(), "/allergies/" + std::to_string(list.size())});
      list.push_back(all[i]);
    }
  }
  Add(Block::Kind::kFields, "").fields.push_back({Label("allergies"), std::move(printed)});
}

size_t DrawRows(Draft* draft, int64_t low, int64_t high) {
  const ContentOptions& o = draft->options();
  if (o.max_rows > 0) {
    low = o.min_rows;
    high = o.max_rows;
  }
  return static_cast<size_t>(draft->random().Int(low, high));
}

Content MakeContent(std::string_view kind, const ContentOptions& options, Random* random) {
  Draft draft(kind, options, random);
  using Maker = void (*)(Draft*);
  constexpr Maker kMakers[] = {DraftLabReport, DraftPrescription, DraftReconciliation,
                               DraftDischarge, DraftRadiology,    DraftCardiology,
                               DraftOperation, DraftDiagnoses,    DraftVitals};
  static_assert(std::size(kMakers) == kDocumentKinds.size());
  for (size_t i = 0; i < kDocumentKinds.size(); ++i) {
    if (kDocumentKinds[i] == kind) kMakers[i](&draft);
  }
  return draft.Take();
}

}  // namespace galen
