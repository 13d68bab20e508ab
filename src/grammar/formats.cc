#include "grammar/formats.h"

#include <map>
#include <mutex>
#include <string>

#include "base/json.h"
#include "grammar/regex.h"

namespace galen::grammar {
namespace {

using std::string;

string Group(const string& pattern) { return "(" + pattern + ")"; }

// RFC 3339; years from 0001.
string Date() {
  const string leap = "[0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00";
  return "[0-9]{4}-(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|[0-9]{4}-(0[469]|11)-(0[1-9]|[12][0-9]"
         "|30)|[0-9]{4}-02-(0[1-9]|1[0-9]|2[0-8])|(" +
         leap + ")-02-29";
}

// A leap second only where UTC shows one.
string Time() {
  return "(([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?([zZ]|[-+]([01][0-9]|2[0-3]):[0-5]["
         "0-"
         "9])|23:59:60(\\.[0-9]+)?([zZ]|[-+]00:00))";
}

string Duration() {
  const string time = "T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)";
  return "P([0-9]+W|([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)(" + time + ")?|" +
         time + ")";
}

string Ipv4() {
  const string octet = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
  return octet + "(\\." + octet + "){3}";
}

// RFC 3986, IPv6address.
string Ipv6() {
  const string h = "[0-9A-Fa-f]{1,4}";
  const string tail = "(" + h + ":" + h + "|" + Ipv4() + ")";
  string all = "(" + h + ":){6}" + tail + "|::(" + h + ":){5}" + tail;
  for (int left = 0; left <= 4; ++left) {  // groups in front of "::", at most
    const int right = 4 - left;            // groups between "::" and the last two
    const string front = "((" + h + ":){0," + std::to_string(left) + "}" + h + ")?";
    all += "|" + front + "::(" + h + ":){" + std::to_string(right) + "}" + tail;
  }
  all += "|((" + h + ":){0,5}" + h + ")?::" + h + "|((" + h + ":){0,6}" + h + ")?::";
  return all;
}

// RFC 1123 without labels that have "--" as third and fourth character: which of them are
// well-formed A-labels no automaton can tell.
string Hostname() {
  const string c = "[A-Za-z0-9]", d = "[A-Za-z0-9-]";
  const string label = "(" + c + "|" + c + c + "|" + c + d + c + "|" + c + d + "(" + c + d + "|-" +
                       c + ")" + d + "{0,58}" + c + "|" + c + d + c + c + ")";
  return label + "(\\." + label + ")*";
}

string Email() {
  const string atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
  const string quoted = "\"([ !#-\\[\\]-~]|\\\\[ -~])*\"";
  return "(" + atom + "(\\." + atom + ")*|" + quoted + ")@(" + Hostname() + "|\\[(" + Ipv4() +
         "|IPv6:(" + Ipv6() + "))\\])";
}

const string kPathChar = "([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";
const string kRest = "(\\?(" + kPathChar + "|[/?])*)?(#(" + kPathChar + "|[/?])*)?";

// RFC 3986; an address in brackets is an IPv6address.
string Authority() {
  const string name = "([A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*";
  const string user = "(([A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?";
  return "//" + user + "(\\[(" + Ipv6() + ")\\]|" + name + ")(:[0-9]*)?(/" + kPathChar + "*)*";
}

string Absolute() { return "/(" + kPathChar + "+(/" + kPathChar + "*)*)?"; }

string Uri() {
  return "[A-Za-z][A-Za-z0-9+.-]*:(" + Authority() + "|" + Absolute() + "|" + kPathChar + "+(/" +
         kPathChar + "*)*|)" + kRest;
}

string UriReference() {
  const string first = "([A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})+";
  return "(" + Uri() + ")|(" + Authority() + "|" + Absolute() + "|" + first + "(/" + kPathChar +
         "*)*|)" + kRest;
}

const std::map<string, string, std::less<>>& Table() {
  static const std::map<string, string, std::less<>> table = {
      {"date", Date()},
      {"time", Time()},
      {"date-time", Group(Date()) + "[Tt]" + Time()},
      {"duration", Duration()},
      {"email", Email()},
      {"hostname", Hostname()},
      {"ipv4", Ipv4()},
      {"ipv6", Ipv6()},
      {"uri", Uri()},
      {"uri-reference", UriReference()},
      {"uuid", "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"},
      {"json-pointer", "(/([^~/]|~[01])*)*"},
      {"relative-json-pointer", "(0|[1-9][0-9]*)(#|(/([^~/]|~[01])*)*)"},
  };
  return table;
}

Result<FormatLanguage> Compile(const string& name, const string& pattern) {
  FormatLanguage language;
  ASSIGN_OR_RETURN(language.dfa, CompileRegex(pattern, RegexMatch::kWhole));
  if (name == "date" || name == "date-time") {
    ASSIGN_OR_RETURN(const Dfa year_zero, CompileRegex("0000-[^]*", RegexMatch::kWhole));
    ASSIGN_OR_RETURN(language.dfa, Combine(language.dfa, year_zero, Combination::kMinus));
  }
  if (name == "hostname") language.max_length = 253;
  return language;
}

}  // namespace

std::vector<std::string_view> EnforcedFormats() {
  std::vector<std::string_view> names;
  for (const auto& [name, pattern] : Table()) names.push_back(name);
  return names;
}

Result<const FormatLanguage*> LanguageOfFormat(std::string_view name) {
  const auto it = Table().find(name);
  if (it == Table().end()) {
    string known;
    for (const std::string_view one : EnforcedFormats())
      known += (known.empty() ? "" : ", ") + string(one);
    return Unsupported("no format " +
                       Json(name).dump(-1, ' ', true, Json::error_handler_t::replace) +
                       " is enforced; those that are: " + known);
  }
  static std::mutex mutex;
  static std::map<string, FormatLanguage, std::less<>> compiled;
  const std::lock_guard lock(mutex);
  if (const auto found = compiled.find(name); found != compiled.end()) return &found->second;
  ASSIGN_OR_RETURN(FormatLanguage language, Compile(it->first, it->second));
  return &compiled.emplace(it->first, std::move(language)).first->second;
}

}  // namespace galen::grammar
