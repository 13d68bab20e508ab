#include "extract/output/fhir_values.h"

namespace galen::extract::fhir {
namespace {

constexpr const char* kDecimal = "$decimal";

void WriteTo(const Json& json, std::string* out) {
  if (json.is_object() && json.size() == 1 && json.contains(kDecimal)) {
    *out += json.at(kDecimal).get<std::string>();
  } else if (json.is_object() || json.is_array()) {
    *out += json.is_object() ? '{' : '[';
    bool first = true;
    for (const auto& [key, value] : json.items()) {
      if (!first) *out += ',';
      first = false;
      if (json.is_object()) *out += Json(key).dump() + ":";
      WriteTo(value, out);
    }
    *out += json.is_object() ? '}' : ']';
  } else {
    *out += json.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

}  // namespace

Json Decimal(const std::string& text) { return {{kDecimal, text}}; }

std::string Write(const Json& json) {
  std::string out;
  WriteTo(json, &out);
  return out + "\n";
}

std::string EscapeXhtml(std::string_view text) {
  std::string out;
  for (const char c : Clean(text)) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

Json Concept(std::string_view system, std::string_view code, std::string_view display,
             std::string_view text) {
  Json json;
  if (!code.empty()) {
    Json coding = {{"system", system}, {"code", code}};
    if (!display.empty()) coding["display"] = display;
    json["coding"] = Json::array({coding});
  }
  if (!text.empty()) json["text"] = text;
  return json;
}

Json Quantity(const Value& number, std::string_view printed_unit, std::string_view ucum) {
  Json json = {
      {"value", Decimal(number.leaf.raw.empty() ? number.leaf.value.dump() : number.leaf.raw)}};
  const std::string unit = Clean(printed_unit);
  if (!unit.empty()) json["unit"] = unit;
  if (!ucum.empty()) {
    json["system"] = "http://unitsofmeasure.org";
    json["code"] = ucum;
  }
  return json;
}

std::string Urn(const Extraction& extraction, std::string_view name) {
  const std::string hex = CaseUuid(extraction, name);
  return "urn:uuid:" + hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" +
         hex.substr(16, 4) + "-" + hex.substr(20);
}

Json Reference(const std::string& urn) { return {{"reference", urn}}; }

}  // namespace galen::extract::fhir
