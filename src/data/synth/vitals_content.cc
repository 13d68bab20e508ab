// Flowsheets of vital signs. Values walk at random within the spans below, which are galen's own:
// plausible for adults on a ward or in intensive care.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "data/synth/draft.h"

namespace galen {
namespace {

// A value that changes a little from reading to reading.
class Walk {
 public:
  Walk(Random* random, double low, double high, double step)
      : random_(random), low_(low), high_(high), step_(step), value_(random->Uniform(low, high)) {}
  double Next() {
    value_ = std::clamp(value_ + random_->Normal() * step_, low_, high_);
    return value_;
  }
  int64_t NextInt() { return static_cast<int64_t>(std::lround(Next())); }

 private:
  Random* random_;
  double low_, high_, step_, value_;
};

const char* const kWardRows[] = {"heart_rate", "bp",          "respiratory_rate",
                                 "spo2",       "temperature", "pain_score"};
const char* const kIcuRows[] = {"heart_rate",     "bp",          "map",  "respiratory_rate",
                                "spo2",           "temperature", "fio2", "peep",
                                "norepinephrine", "urine",       "gcs"};

std::string UnitOf(const std::string& row, bool fahrenheit) {
  if (row == "heart_rate" || row == "respiratory_rate") return "/min";
  if (row == "bp" || row == "map") return "mmHg";
  if (row == "spo2" || row == "fio2") return "%";
  if (row == "temperature") return fahrenheit ? "°F" : "°C";
  if (row == "pain_score") return "0-10";
  if (row == "peep") return "cmH2O";
  if (row == "norepinephrine") return "µg/kg/min";
  if (row == "urine") return "mL";
  return "";
}

}  // namespace

void DraftVitals(Draft* d) {
  Random& random = d->random();
  const bool icu = random.Chance(0.45);
  if (icu) d->document().title = d->Label("title_icu_flowsheet");
  d->Head("hospital");
  const OrderedJson& wards = d->tables().letters[icu ? "icu" : "wards"];
  const std::string ward = d->Triple(random.Pick(wards));
  d->Detail("ward", "ward", ward, ward);
  const bool fahrenheit = d->language() == "en" && !d->options().si && random.Chance(0.6);
  d->fields()["temperature_unit"] = fahrenheit ? "°F" : "°C";

  std::vector<std::string> names;
  if (icu) {
    names.assign(std::begin(kIcuRows), std::end(kIcuRows));
  } else {
    names.assign(std::begin(kWardRows), std::end(kWardRows));
    if (random.Chance(0.4)) names.pop_back();
  }
  Walk heart(&random, 52, 128, 6), systolic(&random, 92, 172, 7), breaths(&random, 10, 28, 2);
  Walk oxygen(&random, 90, 99, 1), degrees(&random, 36, 39.3, 0.2), pain(&random, 0, 8, 1);
  Walk fio2(&random, 25, 70, 4), peep(&random, 5, 12, 0.6), pressor(&random, 0, 0.3, 0.03);
  Walk urine(&random, 10, 130, 18), gcs(&random, 5, 15, 0.8);
  const size_t count = DrawRows(d, icu ? 6 : 5, icu ? 12 : 10);
  const int64_t step = icu ? 60 : 240;
  const int64_t begin = random.Int(0, 7) * 60;

  OrderedJson& readings = d->fields()["readings"] = OrderedJson::array();
  std::vector<SpanText> times;
  std::vector<std::vector<SpanText>> cells;  // [reading][name]
  for (size_t i = 0; i < count; ++i) {
    const std::string key = "/readings/" + std::to_string(i) + "/";
    char time[16];
    const int64_t minutes = begin + static_cast<int64_t>(i) * step;
    std::snprintf(time, sizeof(time), "%02d:%02d", static_cast<int>(minutes / 60 % 24),
                  static_cast<int>(minutes % 60));
    OrderedJson reading = {{"time", time}};
    for (const char* field : {"heart_rate", "systolic", "diastolic", "respiratory_rate", "spo2",
                              "temperature", "pain_score", "mean_arterial_pressure", "fio2", "peep",
                              "norepinephrine", "urine_output_ml", "gcs"}) {
      reading[field] = nullptr;
    }
    times.push_back(Value(time, key + "time"));
    const int64_t sys = systolic.NextInt();
    const int64_t dia = sys / 2 + random.Int(0, 14);
    auto& row = cells.emplace_back();
    for (const std::string& name : names) {
      if (random.Chance(0.03)) {  // not measured
        row.push_back(Plain("–"));
        continue;
      }
      const auto whole = [&](const char* field, int64_t value) {
        reading[field] = value;
        row.push_back(Value(std::to_string(value), key + field));
      };
      const auto real = [&](const char* field, double value, int decimals) {
        double truth = 0;
        const std::string text = d->Number(value, decimals, &truth);
        reading[field] = truth;
        row.push_back(Value(text, key + field));
      };
      if (name == "heart_rate") whole("heart_rate", heart.NextInt());
      if (name == "bp") {
        reading["systolic"] = sys;
        reading["diastolic"] = dia;
        row.push_back({{std::to_string(sys), key + "systolic"},
                       {"/", ""},
                       {std::to_string(dia), key + "diastolic"}});
      }
      if (name == "map") whole("mean_arterial_pressure", dia + (sys - dia) / 3);
      if (name == "respiratory_rate") whole("respiratory_rate", breaths.NextInt());
      if (name == "spo2") whole("spo2", oxygen.NextInt());
      if (name == "temperature") {
        const double celsius = degrees.Next();
        real("temperature", fahrenheit ? celsius * 1.8 + 32 : celsius, 1);
      }
      if (name == "pain_score") whole("pain_score", pain.NextInt());
      if (name == "fio2") whole("fio2", fio2.NextInt());
      if (name == "peep") whole("peep", peep.NextInt());
      if (name == "norepinephrine") real("norepinephrine", pressor.Next(), 2);
      if (name == "urine") whole("urine_output_ml", urine.NextInt());
      if (name == "gcs") whole("gcs", gcs.NextInt());
    }
    readings.push_back(std::move(reading));
  }

  // The unit of the temperature is the only one that the truth asks for.
  const auto head = [&](const std::string& name) -> SpanText {
    const std::string unit = UnitOf(name, fahrenheit);
    SpanText text = Plain(d->Label(name));
    if (!unit.empty()) {
      text.push_back({" (", ""});
      text.push_back({unit, name == "temperature" ? "/temperature_unit" : ""});
      text.push_back({")", ""});
    }
    return text;
  };
  Block& block = d->Add(Block::Kind::kTable, "");
  if (icu || random.Chance(0.5)) {
    // Times from left to right, as bedside charts have them.
    d->document().landscape = count > 7;
    block.columns.push_back({"", 2, Align::kLeft});
    for (size_t i = 0; i < count; ++i) block.columns.push_back({"", 1, Align::kCenter});
    TableRow top;
    top.strong = true;
    top.cells.push_back(Plain(d->Label("time")));
    for (const SpanText& time : times) top.cells.push_back(time);
    block.rows.push_back(std::move(top));
    for (size_t n = 0; n < names.size(); ++n) {
      TableRow row;
      row.cells.push_back(head(names[n]));
      for (size_t i = 0; i < count; ++i) row.cells.push_back(cells[i][n]);
      block.rows.push_back(std::move(row));
    }
  } else {
    block.columns.push_back({"", 1, Align::kLeft});
    TableRow top;
    top.strong = true;
    top.cells.push_back(Plain(d->Label("time")));
    for (const std::string& name : names) {
      block.columns.push_back({"", 1, Align::kCenter});
      top.cells.push_back(head(name));
    }
    block.rows.push_back(std::move(top));
    for (size_t i = 0; i < count; ++i) {
      TableRow row;
      row.cells.push_back(times[i]);
      for (const SpanText& cell : cells[i]) row.cells.push_back(cell);
      block.rows.push_back(std::move(row));
    }
  }
  d->fields()["author"] = nullptr;
  if (random.Chance(0.4)) d->Sign(d->Doctor());
}

}  // namespace galen
