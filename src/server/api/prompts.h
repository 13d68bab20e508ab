// Inputs that are texts, token ids, or arrays of either: of completions and of embeddings.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "server/api/conversation.h"

namespace galen::server {

// A text or token ids of the model's vocabulary. InvalidArgument names `field`.
Result<std::vector<int32_t>> TokenIdsOf(const OrderedJson& json, const ModelHost& host,
                                        const std::string& field);
bool IsTokenIds(const OrderedJson& json);
// Calls fn for one input, or for each of an array of at most `most`; the first error ends it.
Status ForEachInput(const OrderedJson& json, const std::string& field, int64_t most,
                    const std::function<Status(const OrderedJson&)>& fn);

}  // namespace galen::server
