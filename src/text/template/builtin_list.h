// The functions behind builtins.cc's tables, by the file that defines them.
#pragma once

#include "text/template/builtins.h"

namespace galen::jinja {

// filters_text.cc
Result<Value> FilterCapitalize(Env& env, Args& arguments);
Result<Value> FilterCenter(Env& env, Args& arguments);
Result<Value> FilterEscape(Env& env, Args& arguments);
Result<Value> FilterForceEscape(Env& env, Args& arguments);
Result<Value> FilterFormat(Env& env, Args& arguments);
Result<Value> FilterIndent(Env& env, Args& arguments);
Result<Value> FilterJoin(Env& env, Args& arguments);
Result<Value> FilterLower(Env& env, Args& arguments);
Result<Value> FilterReplace(Env& env, Args& arguments);
Result<Value> FilterSafe(Env& env, Args& arguments);
Result<Value> FilterString(Env& env, Args& arguments);
Result<Value> FilterTitle(Env& env, Args& arguments);
Result<Value> FilterTrim(Env& env, Args& arguments);
Result<Value> FilterTruncate(Env& env, Args& arguments);
Result<Value> FilterUpper(Env& env, Args& arguments);
Result<Value> FilterUrlEncode(Env& env, Args& arguments);
Result<Value> FilterWordCount(Env& env, Args& arguments);

// filters_value.cc
Result<Value> FilterAbs(Env& env, Args& arguments);
Result<Value> FilterAttr(Env& env, Args& arguments);
Result<Value> FilterDefault(Env& env, Args& arguments);
Result<Value> FilterFileSize(Env& env, Args& arguments);
Result<Value> FilterFloat(Env& env, Args& arguments);
Result<Value> FilterInt(Env& env, Args& arguments);
Result<Value> FilterLength(Env& env, Args& arguments);
Result<Value> FilterRound(Env& env, Args& arguments);
Result<Value> FilterToJson(Env& env, Args& arguments);
Result<Value> FilterUnsupported(Env& env, Args& arguments);

// filters_sequence.cc
Result<Value> FilterDictSort(Env& env, Args& arguments);
Result<Value> FilterFirst(Env& env, Args& arguments);
Result<Value> FilterGroupBy(Env& env, Args& arguments);
Result<Value> FilterLast(Env& env, Args& arguments);
Result<Value> FilterList(Env& env, Args& arguments);
Result<Value> FilterMax(Env& env, Args& arguments);
Result<Value> FilterMin(Env& env, Args& arguments);
Result<Value> FilterReverse(Env& env, Args& arguments);
Result<Value> FilterSort(Env& env, Args& arguments);
Result<Value> FilterSum(Env& env, Args& arguments);

// filters_lazy.cc
Result<Value> FilterBatch(Env& env, Args& arguments);
Result<Value> FilterItems(Env& env, Args& arguments);
Result<Value> FilterMap(Env& env, Args& arguments);
Result<Value> FilterReject(Env& env, Args& arguments);
Result<Value> FilterRejectAttr(Env& env, Args& arguments);
Result<Value> FilterSelect(Env& env, Args& arguments);
Result<Value> FilterSelectAttr(Env& env, Args& arguments);
Result<Value> FilterSlice(Env& env, Args& arguments);
Result<Value> FilterUnique(Env& env, Args& arguments);

// functions.cc
Result<Value> FunctionCycler(Env& env, Args& arguments);
Result<Value> FunctionDict(Env& env, Args& arguments);
Result<Value> FunctionJoiner(Env& env, Args& arguments);
Result<Value> FunctionLipsum(Env& env, Args& arguments);
Result<Value> FunctionNamespace(Env& env, Args& arguments);
Result<Value> FunctionRaise(Env& env, Args& arguments);
Result<Value> FunctionRange(Env& env, Args& arguments);
Result<Value> FunctionStrftimeNow(Env& env, Args& arguments);

}  // namespace galen::jinja
