#include "text/template/builtins.h"

#include <algorithm>
#include <iterator>

#include "text/template/builtin_list.h"

namespace galen::jinja {
namespace {

// Both sorted by name.
constexpr Builtin kFilters[] = {
    {"abs", FilterAbs},
    {"attr", FilterAttr},
    {"batch", FilterBatch},
    {"capitalize", FilterCapitalize},
    {"center", FilterCenter},
    {"count", FilterLength},
    {"d", FilterDefault},
    {"default", FilterDefault},
    {"dictsort", FilterDictSort},
    {"e", FilterEscape},
    {"escape", FilterEscape},
    {"filesizeformat", FilterFileSize},
    {"first", FilterFirst},
    {"float", FilterFloat},
    {"forceescape", FilterForceEscape},
    {"format", FilterFormat},
    {"groupby", FilterGroupBy},
    {"indent", FilterIndent},
    {"int", FilterInt},
    {"items", FilterItems},
    {"join", FilterJoin},
    {"last", FilterLast},
    {"length", FilterLength},
    {"list", FilterList},
    {"lower", FilterLower},
    {"map", FilterMap},
    {"max", FilterMax},
    {"min", FilterMin},
    {"pprint", FilterUnsupported},
    {"random", FilterUnsupported},
    {"reject", FilterReject},
    {"rejectattr", FilterRejectAttr},
    {"replace", FilterReplace},
    {"reverse", FilterReverse},
    {"round", FilterRound},
    {"safe", FilterSafe},
    {"select", FilterSelect},
    {"selectattr", FilterSelectAttr},
    {"slice", FilterSlice},
    {"sort", FilterSort},
    {"string", FilterString},
    {"striptags", FilterUnsupported},
    {"sum", FilterSum},
    {"title", FilterTitle},
    {"tojson", FilterToJson},
    {"trim", FilterTrim},
    {"truncate", FilterTruncate},
    {"unique", FilterUnique},
    {"upper", FilterUpper},
    {"urlencode", FilterUrlEncode},
    {"urlize", FilterUnsupported},
    {"wordcount", FilterWordCount},
    {"wordwrap", FilterUnsupported},
    {"xmlattr", FilterUnsupported},
};

constexpr Builtin kFunctions[] = {
    {"cycler", FunctionCycler},       {"dict", FunctionDict},
    {"joiner", FunctionJoiner},       {"lipsum", FunctionLipsum},
    {"namespace", FunctionNamespace}, {"raise_exception", FunctionRaise},
    {"range", FunctionRange},         {"strftime_now", FunctionStrftimeNow},
};

template <size_t N>
const Builtin* Find(const Builtin (&table)[N], std::string_view name) {
  const auto it = std::lower_bound(std::begin(table), std::end(table), name,
                                   [](const Builtin& b, std::string_view n) { return b.name < n; });
  return it != std::end(table) && it->name == name ? it : nullptr;
}

}  // namespace

const Builtin* FindFilter(std::string_view name) { return Find(kFilters, name); }
const Builtin* FindFunction(std::string_view name) { return Find(kFunctions, name); }

}  // namespace galen::jinja
