// A ChatInput as JSON: the form in which cases, corpora and requests carry it.
#pragma once

#include "base/status.h"
#include "text/template/chat_template.h"

namespace galen {

// {"messages": [...], "tools": [...], "documents": [...], "add_generation_prompt": bool,
// "bos_token": str,
//  "eos_token": str, "variables": {...}, "now": [year, month, day, hour, minute, second],
//  "control_tokens": [str, ...]};
// everything but messages may be absent. Fails with kInvalidArgument and the name of the field that
// is of a wrong type.
Result<ChatInput> ChatInputFromJson(const OrderedJson& json);

}  // namespace galen
