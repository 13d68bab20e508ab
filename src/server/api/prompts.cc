#include "server/api/prompts.h"

namespace galen::server {

bool IsTokenIds(const OrderedJson& json) {
  return json.is_array() && !json.empty() && json[0].is_number();
}

Result<std::vector<int32_t>> TokenIdsOf(const OrderedJson& json, const ModelHost& host,
                                        const std::string& field) {
  if (!IsTokenIds(json))
    return InvalidArgument("'" + field + "' must be texts or arrays of token ids");
  const int64_t vocab = host.files().config.vocab_size;
  std::vector<int32_t> ids;
  for (const OrderedJson& id : json) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() >= vocab) {
      return InvalidArgument("'" + field + "' has a token id that is none: they go from 0 to " +
                             std::to_string(vocab - 1));
    }
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

Status ForEachInput(const OrderedJson& json, const std::string& field, int64_t most,
                    const std::function<Status(const OrderedJson&)>& fn) {
  if (json.is_string() || IsTokenIds(json)) return fn(json);
  if (!json.is_array() || json.empty() || static_cast<int64_t>(json.size()) > most) {
    return InvalidArgument("'" + field + "' must be a text, token ids, or an array of at most " +
                           std::to_string(most) + " of either");
  }
  for (const OrderedJson& item : json) RETURN_IF_ERROR(fn(item));
  return OkStatus();
}

}  // namespace galen::server
