// The fields of a JSON object, each with its type and range. What is absent or null leaves the
// value as it is; what has the wrong type, lies out of range or is not known is named.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/template/chat_template.h"  // OrderedJson

namespace galen::server {

class Fields {
 public:
  // where: path of the object in the body, "" for the body itself. failed receives the name of the
  // field that an error is about. Both objects must outlive this.
  Fields(const OrderedJson& object, std::string where, std::string* failed);
  // InvalidArgument unless the value is an object.
  Status Check() const;

  Status String(std::string_view key, std::string* value);
  Status Bool(std::string_view key, bool* value);
  Status Int(std::string_view key, int64_t low, int64_t high, int64_t* value);
  // Finite numbers only.
  Status Number(std::string_view key, double low, double high, float* value);
  // A string or an array of strings.
  Status Strings(std::string_view key, size_t most, std::vector<std::string>* value);
  // Null where absent.
  const OrderedJson* Any(std::string_view key);
  const OrderedJson* Object(std::string_view key, Status* status);
  const OrderedJson* Array(std::string_view key, Status* status);

  // Known fields that do not change the answer.
  void Accept(std::initializer_list<std::string_view> keys);
  // The same, of strings, and of true or false.
  Status AcceptStrings(std::initializer_list<std::string_view> keys);
  Status AcceptBools(std::initializer_list<std::string_view> keys);
  // Refuses a field that would change the answer in a way that galen does not do; `neutral` values
  // pass (null always does).
  Status Refuse(std::string_view key, const char* why,
                std::initializer_list<OrderedJson> neutral = {});
  // InvalidArgument naming the first field that none of the above has asked for.
  Status Finish();

  Status Fail(std::string_view key, const std::string& what);
  std::string Name(std::string_view key) const;
  std::string* failed() const { return failed_; }

 private:
  const OrderedJson* Find(std::string_view key);

  const OrderedJson& object_;
  const std::string where_;
  std::string* failed_;
  std::set<std::string, std::less<>> known_;
};

// The body of a request as an object. Errors do not quote it.
Result<OrderedJson> ParseBody(const std::string& body, int max_depth);

}  // namespace galen::server
