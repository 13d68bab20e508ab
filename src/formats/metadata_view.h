// Hyper-parameters by key, whatever the file: a config.json object or the metadata of a GGUF file.
// A model family reads its own keys through this and says their ranges; every error names file,
// key, what was expected and what was found.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "formats/gguf.h"

namespace galen {

// A key whose value is null counts as absent. Get: an absent key is NotFound. Get...Or: it yields
// the fallback (which is not checked against the range). A value of the wrong type or out of [min,
// max] is DataLoss either way.
class MetadataView {
 public:
  virtual ~MetadataView() = default;

  virtual bool Has(std::string_view key) const = 0;
  virtual bool IsList(std::string_view key) const = 0;  // false when absent
  // `"/m/config.json: "text_config.hidden_size"`, for messages.
  virtual std::string Describe(std::string_view key) const = 0;

  Result<int64_t> GetInt(std::string_view key, int64_t min, int64_t max) const;
  Result<int64_t> GetIntOr(std::string_view key, int64_t fallback, int64_t min, int64_t max) const;
  // Never NaN or infinite.
  Result<double> GetDouble(std::string_view key, double min, double max) const;
  Result<double> GetDoubleOr(std::string_view key, double fallback, double min, double max) const;
  Result<bool> GetBool(std::string_view key) const;
  Result<bool> GetBoolOr(std::string_view key, bool fallback) const;
  Result<std::string> GetString(std::string_view key) const;
  Result<std::string> GetStringOr(std::string_view key, std::string_view fallback) const;
  // Each element in [min, max]; booleans read as 0 and 1.
  Result<std::vector<int64_t>> GetInts(std::string_view key, int64_t min, int64_t max) const;
  Result<std::vector<std::string>> GetStrings(std::string_view key) const;

 protected:
  // The key is present. Integers: whole numbers only. Messages as above.
  virtual Result<int64_t> ReadInt(std::string_view key) const = 0;
  virtual Result<double> ReadDouble(std::string_view key) const = 0;
  virtual Result<bool> ReadBool(std::string_view key) const = 0;
  virtual Result<std::string> ReadString(std::string_view key) const = 0;
  virtual Result<std::vector<int64_t>> ReadInts(std::string_view key) const = 0;
  virtual Result<std::vector<std::string>> ReadStrings(std::string_view key) const = 0;
};

// One JSON object, which must outlive the view. `file` and `path` ("text_config.") are for
// messages.
class JsonView : public MetadataView {
 public:
  JsonView(const Json& object, std::string file, std::string path = "")
      : object_(&object), file_(std::move(file)), path_(std::move(path)) {}

  bool Has(std::string_view key) const override;
  bool IsList(std::string_view key) const override;
  std::string Describe(std::string_view key) const override;
  // The object under `key`; absent or null: an empty object.
  Result<JsonView> Object(std::string_view key) const;
  const Json& json() const { return *object_; }

 protected:
  Result<int64_t> ReadInt(std::string_view key) const override;
  Result<double> ReadDouble(std::string_view key) const override;
  Result<bool> ReadBool(std::string_view key) const override;
  Result<std::string> ReadString(std::string_view key) const override;
  Result<std::vector<int64_t>> ReadInts(std::string_view key) const override;
  Result<std::vector<std::string>> ReadStrings(std::string_view key) const override;

 private:
  const Json* Get(std::string_view key) const;  // null when absent or JSON null
  Status Wrong(std::string_view key, std::string_view expected) const;

  const Json* object_;
  std::string file_;
  std::string path_;
};

// The keys of a GGUF file that begin with `prefix` ("gemma3."), which is left out of `key`. The
// file must outlive the view.
class GgufView : public MetadataView {
 public:
  GgufView(const GgufFile& file, std::string prefix) : file_(&file), prefix_(std::move(prefix)) {}

  bool Has(std::string_view key) const override;
  bool IsList(std::string_view key) const override;
  std::string Describe(std::string_view key) const override;
  const GgufFile& file() const { return *file_; }

 protected:
  Result<int64_t> ReadInt(std::string_view key) const override;
  Result<double> ReadDouble(std::string_view key) const override;
  Result<bool> ReadBool(std::string_view key) const override;
  Result<std::string> ReadString(std::string_view key) const override;
  Result<std::vector<int64_t>> ReadInts(std::string_view key) const override;
  Result<std::vector<std::string>> ReadStrings(std::string_view key) const override;

 private:
  std::string Key(std::string_view key) const { return prefix_ + std::string(key); }

  const GgufFile* file_;
  std::string prefix_;
};

}  // namespace galen
