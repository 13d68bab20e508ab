// Laboratory reports: panels of configs/clinical/analytes.json with plausible values.
#include <algorithm>
#include <optional>

#include "data/synth/draft.h"
#include "data/synth/replace.h"

namespace galen {
namespace {

std::optional<double> Limit(const OrderedJson& value) {
  if (value.is_null()) return std::nullopt;
  return value.get<double>();
}

// How the laboratory writes: the same in all rows.
struct LabStyle {
  int range = 0;       // "3.5 - 5.1", "3.5–5.1", "(3.5 - 5.1)", "[3.5-5.1]"
  int flags = 0;       // H L C, H L HH LL, arrows, + and -
  int units = 0;       // spelling of powers of ten
  bool spaced = true;  // "< 5", otherwise "<5"
};

std::string PrintedUnit(std::string unit, const LabStyle& style, const std::string& language) {
  if (unit == "1") return "";
  if (style.units == 0 && language != "en") {
    if (unit == "10^9/L") unit = "G/L";
    if (unit == "10^12/L") unit = "T/L";
  }
  if (style.units == 1 && unit.rfind("10^", 0) == 0) unit = "x" + unit;
  if (style.units == 2 && language == "en") {
    if (unit == "10^3/µL") unit = "K/µL";
    if (unit == "10^6/µL") unit = "M/µL";
  }
  if (language != "en") ReplaceFirst(&unit, "1.73", "1,73");
  if (language == "fr") {
    if (unit == "U/L") unit = "UI/L";
    ReplaceFirst(&unit, "IU/", "UI/");
  }
  if (language == "de") {
    ReplaceFirst(&unit, "dL", "dl");
    ReplaceFirst(&unit, "mL", "ml");
    ReplaceFirst(&unit, "µL", "µl");
    ReplaceFirst(&unit, "/L", "/l");
  }
  return unit;
}

std::string PrintedFlag(const std::string& flag, int style) {
  static const char* const kFlags[4][6] = {{"", "L", "H", "C", "C", "A"},
                                           {"", "L", "H", "LL", "HH", "A"},
                                           {"", "↓", "↑", "↓↓", "↑↑", "!"},
                                           {"", "-", "+", "--", "++", "*"}};
  const char* const codes[6] = {"N", "L", "H", "LL", "HH", "A"};
  for (size_t i = 0; i < 6; ++i) {
    if (flag == codes[i]) return kFlags[style][i];
  }
  return "";
}

// One row of the report before it is arranged in columns.
struct LabRow {
  SpanText test, value, unit, range, flag;
  bool abnormal = false;
};

class LabWriter {
 public:
  LabWriter(Draft* draft, bool female) : d_(*draft), female_(female) {
    Random& random = d_.random();
    style_.range = static_cast<int>(random.Int(0, 3));
    style_.flags = static_cast<int>(random.Int(0, 3));
    style_.units = static_cast<int>(random.Int(0, 2));
    style_.spaced = random.Chance(0.7);
  }
  const LabStyle& style() const { return style_; }

  LabRow Quantity(const OrderedJson& analyte) {
    Random& random = d_.random();
    const char* system = d_.options().si ? "si" : "conventional";
    const OrderedJson& scale = analyte[system];
    std::optional<double> low = Limit(scale["low"]), high = Limit(scale["high"]);
    if (female_ && analyte.contains("female")) {
      low = Limit(analyte["female"][system][0]);
      high = Limit(analyte["female"][system][1]);
    }
    const double factor = d_.options().si ? analyte["factor"].get<double>() : 1;
    const double least = analyte["plausible"][0].get<double>() * factor;
    const double most = analyte["plausible"][1].get<double>() * factor;
    std::optional<double> critical_low = Limit(analyte["critical"][0]);
    std::optional<double> critical_high = Limit(analyte["critical"][1]);
    if (critical_low) *critical_low *= factor;
    if (critical_high) *critical_high *= factor;

    const double normal_low = low ? *low : std::max(least, *high * 0.2);
    const double normal_high = high ? *high : std::min(most, *low * 1.3);
    double value = random.Uniform(normal_low, normal_high);
    const double kind = random.Uniform();
    if (kind < 0.12 && low) {
      value = random.Uniform(std::max(least, critical_low.value_or(*low * 0.6)), *low);
    } else if (kind < 0.26 && high) {
      value = random.Uniform(*high, std::min(most, critical_high.value_or(*high * 2)));
    } else if (kind < 0.28 && critical_low) {
      value = random.Uniform(std::max(least, *critical_low * 0.7), *critical_low);
    } else if (kind < 0.32 && critical_high) {
      value = random.Uniform(*critical_high, std::min(most, *critical_high * 1.5));
    }
    const int decimals = scale["decimals"].get<int>();
    double truth = 0;
    const std::string printed = d_.Number(value, decimals, &truth);
    std::string flag = "N";
    if (low && truth < *low) flag = critical_low && truth < *critical_low ? "LL" : "L";
    if (high && truth > *high) flag = critical_high && truth > *critical_high ? "HH" : "H";

    LabRow row = Start(analyte);
    const std::string key = Key();
    const std::string unit = PrintedUnit(scale["unit"].get<std::string>(), style_, d_.language());
    row.value = Value(printed, key + "value");
    if (!unit.empty()) row.unit = Value(unit, key + "unit");
    row.range = Range(low, high, decimals, key);
    Finish(&row, flag, JsonNumber(truth, decimals), unit,
           low ? JsonNumber(*low, decimals) : OrderedJson(),
           high ? JsonNumber(*high, decimals) : OrderedJson());
    return row;
  }

  LabRow Quality(const OrderedJson& analyte) {
    const OrderedJson& values = d_.tables().analytes["qualitative"]["values"][d_.language()];
    const bool negative = d_.random().Chance(0.75);
    const std::string value =
        values[negative ? 0 : static_cast<size_t>(d_.random().Int(1, 4))].get<std::string>();
    LabRow row = Start(analyte);
    row.value = Value(value, Key() + "value");
    row.range = Plain(values[0].get<std::string>());
    Finish(&row, negative ? "N" : "A", value, "", OrderedJson(), OrderedJson());
    return row;
  }

 private:
  std::string Key() const {
    return "/results/" + std::to_string(d_.fields()["results"].size()) + "/";
  }
  LabRow Start(const OrderedJson& analyte) {
    LabRow row;
    row.test = Value(d_.Pick(analyte["names"]), Key() + "test");
    return row;
  }
  void Finish(LabRow* row, const std::string& flag, const OrderedJson& value,
              const std::string& unit, const OrderedJson& low, const OrderedJson& high) {
    const std::string mark = PrintedFlag(flag, style_.flags);
    if (!mark.empty()) row->flag = Value(mark, Key() + "flag");
    row->abnormal = flag != "N";
    d_.fields()["results"].push_back({{"test", row->test[0].text},
                                      {"value", value},
                                      {"unit", unit.empty() ? OrderedJson() : OrderedJson(unit)},
                                      {"reference_low", low},
                                      {"reference_high", high},
                                      {"flag", flag}});
  }
  SpanText Range(std::optional<double> low, std::optional<double> high, int decimals,
                 const std::string& key) const {
    SpanText text;
    const Span low_span = {low ? d_.Number(*low, decimals, nullptr) : "", key + "reference_low"};
    const Span high_span = {high ? d_.Number(*high, decimals, nullptr) : "",
                            key + "reference_high"};
    const char* open = style_.range == 2 ? "(" : style_.range == 3 ? "[" : "";
    const char* close = style_.range == 2 ? ")" : style_.range == 3 ? "]" : "";
    const char* dash = style_.range == 1 ? "–" : style_.range == 3 ? "-" : " - ";
    const std::string space = style_.spaced ? " " : "";
    if (low && high) return {{open, ""}, low_span, {dash, ""}, high_span, {close, ""}};
    if (high) return {{open + ("<" + space), ""}, high_span, {close, ""}};
    return {{open + (">" + space), ""}, low_span, {close, ""}};
  }

  Draft& d_;
  const bool female_;
  LabStyle style_;
};

SpanText Join(const SpanText& a, const SpanText& b) {
  SpanText joined = a;
  if (!b.empty()) {
    joined.push_back({" ", ""});
    joined.insert(joined.end(), b.begin(), b.end());
  }
  return joined;
}

// The table's columns, and a row's cells in them.
std::vector<TableColumn> Columns(Draft* d, int table) {
  const TableColumn test{d->Label("test"), 3, Align::kLeft};
  TableColumn result{d->Label("result"), 1, Align::kRight};
  const TableColumn unit{d->Label("unit"), 1, Align::kLeft};
  const TableColumn range{d->Label("reference"), 1.5, Align::kLeft};
  const TableColumn flag{d->Label("flag"), 0.6, Align::kCenter};
  if (table == 2 || table == 3 || table == 6) result.align = Align::kLeft;
  switch (table) {
    case 0:
      return {test, result, flag, unit, range};
    case 1:
      return {test, result, unit, range, flag};
    case 2:
      return {test, result, unit, range};
    case 3:
      return {test, result, range, flag};
    case 4:
      return {test, range, unit, result, flag};
    case 5:
      return {test, unit, range, flag, result};
    default:
      return {flag, test, result, range};
  }
}

TableRow Arrange(const LabRow& r, int table) {
  TableRow row;
  row.strong = r.abnormal;
  switch (table) {
    case 0:
      row.cells = {r.test, r.value, r.flag, r.unit, r.range};
      break;
    case 1:
      row.cells = {r.test, r.value, r.unit, r.range, r.flag};
      break;
    case 2:
      row.cells = {r.test, Join(r.value, r.flag), r.unit, r.range};
      break;
    case 3:
      row.cells = {r.test, Join(r.value, r.unit), r.range, r.flag};
      break;
    case 4:
      row.cells = {r.test, r.range, r.unit, r.value, r.flag};
      break;
    case 5:
      row.cells = {r.test, r.unit, r.range, r.flag, r.value};
      break;
    default:
      row.cells = {r.flag, r.test, Join(r.value, r.unit), r.range};
      break;
  }
  return row;
}

struct Panel {
  std::string name;
  std::vector<const OrderedJson*> analytes;
  bool qualitative = false;
};

// Panels until there are about `rows` tests, each in the order of the table.
std::vector<Panel> DrawPanels(Draft* d, size_t rows) {
  const OrderedJson& table = d->tables().analytes;
  std::vector<std::string> names;
  for (const auto& [name, titles] : table["panels"].items()) names.push_back(name);
  std::vector<Panel> panels;
  size_t left = rows;
  for (const size_t p : d->random().Choose(names.size(), names.size())) {
    if (left == 0) break;
    Panel panel;
    panel.name = names[p];
    panel.qualitative = names[p] == "urine";
    const OrderedJson& source =
        panel.qualitative ? table["qualitative"]["analytes"] : table["analytes"];
    for (const OrderedJson& analyte : source) {
      if (analyte["panel"] == panel.name) panel.analytes.push_back(&analyte);
    }
    if (panel.analytes.size() > left) {  // not the whole panel: some of it, in order
      std::vector<size_t> chosen = d->random().Choose(panel.analytes.size(), left);
      std::sort(chosen.begin(), chosen.end());
      std::vector<const OrderedJson*> some;
      for (const size_t i : chosen) some.push_back(panel.analytes[i]);
      panel.analytes = some;
    }
    left -= panel.analytes.size();
    panels.push_back(std::move(panel));
  }
  return panels;
}

}  // namespace

void DraftLabReport(Draft* d) {
  const int table = d->options().lab_table;
  bool female = d->random().Chance(0.5);
  if (!d->options().strip) {
    d->Head("laboratory");
    female = d->fields()["patient"]["sex"] == "female";
    const int64_t collected = d->today() - d->random().Int(0, 2);
    d->Detail("collection_date", "collection_date", d->Date(collected), Draft::IsoDate(collected));
    if (d->random().Chance(0.7)) {
      const std::string id = std::to_string(d->random().Int(10000000, 99999999));
      d->Detail("sample_id", "sample_id", id, id);
    } else {
      d->fields()["sample_id"] = nullptr;
    }
  }
  d->fields()["results"] = OrderedJson::array();
  // A single panel, or twenty tests and more of several.
  const bool single = d->options().max_rows == 0 && d->random().Chance(0.6);
  std::vector<Panel> panels;
  if (d->options().strip) {
    // Tests of all panels, so that each row is as likely as the next.
    Panel mixed;
    const OrderedJson& all = d->tables().analytes["analytes"];
    for (const size_t i : d->random().Choose(all.size(), DrawRows(d, 1, 3)))
      mixed.analytes.push_back(&all[i]);
    panels.push_back(std::move(mixed));
  } else {
    panels = DrawPanels(d, single ? 8 : DrawRows(d, 20, 34));
    if (single) {
      panels.resize(panels[0].analytes.size() < 4 ? 2 : 1);
      d->document().brief = true;
    }
  }
  LabWriter writer(d, female);
  Block& block = d->Add(Block::Kind::kTable, "");
  block.columns = Columns(d, table);
  for (const Panel& panel : panels) {
    if (panels.size() > 1 || d->random().Chance(0.5)) {
      if (!d->options().strip) {
        TableRow heading;
        heading.heading = true;
        heading.cells.push_back(Plain(d->Pick(d->tables().analytes["panels"][panel.name])));
        block.rows.push_back(std::move(heading));
      }
    }
    for (const OrderedJson* analyte : panel.analytes) {
      block.rows.push_back(
          Arrange(panel.qualitative ? writer.Quality(*analyte) : writer.Quantity(*analyte), table));
    }
  }
  if (d->options().strip) {
    d->document().strip = true;
    return;
  }
  if (writer.style().flags == 0) d->document().legend = d->Label("legend");
  d->Sign(d->Doctor());
}

}  // namespace galen
