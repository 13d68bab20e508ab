#include "quantize/quantize.h"

#include <filesystem>
#include <memory>
#include <system_error>

#include "formats/bitsandbytes.h"
#include "formats/quote.h"
#include "quantize/outputs.h"

namespace galen {
namespace {

Status CheckDestination(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return OkStatus();
  if (std::filesystem::is_directory(path, error) && std::filesystem::is_empty(path, error)) {
    return OkStatus();
  }
  return InvalidArgument(path + " exists already; name another destination or remove it first");
}

std::string Names() {
  std::string names;
  for (const std::string_view name : QuantizeTypeNames()) {
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return names;
}

}  // namespace

std::vector<std::string_view> QuantizeTypeNames() {
  std::vector<std::string_view> names = {"nf4", "int8"};
  for (const GgufRecipe& recipe : GgufRecipes()) names.push_back(recipe.name);
  return names;
}

void AddReport(const OutputTensor& tensor, std::string_view to, int64_t bytes,
               QuantizeReport* report) {
  TensorReport row;
  row.name = tensor.name;
  row.from = tensor.source.type_name;
  row.to = to;
  row.elements = tensor.source.NumElements();
  row.source_bytes = TensorBytes(tensor.source);
  row.bytes = bytes;
  report->source_bytes += row.source_bytes;
  report->tensors.push_back(std::move(row));
}

Status WriteAndReport(const Checkpoint& source, std::vector<OutputTensor>& tensors,
                      const QuantizeOptions& options, ThreadPool& pool, QuantizeReport* report) {
  int64_t total = 0;
  for (const OutputTensor& t : tensors) {
    total +=
        t.kind == OutputKind::kCopy ? static_cast<int64_t>(t.source.bytes.size()) : t.elements();
  }
  std::vector<TensorError> errors;
  RETURN_IF_ERROR(WriteTensors(
      source, tensors, pool,
      [&](int64_t done) {
        if (options.progress) options.progress(total, done);
      },
      &errors));
  for (size_t i = 0; i < errors.size(); ++i) report->tensors[i].error = errors[i];
  return OkStatus();
}

Result<QuantizeReport> QuantizeCheckpoint(const std::string& source, const std::string& destination,
                                          const QuantizeOptions& options) {
  const bool int8 = options.type == "int8";
  const bool bnb = int8 || options.type == "nf4";
  const GgufRecipe* recipe = FindGgufRecipe(options.type);
  if (!bnb && recipe == nullptr) {
    return InvalidArgument("type " + Quoted(options.type, 40) + " is not known; known are " +
                           Names());
  }
  RETURN_IF_ERROR(CheckDestination(destination));
  ASSIGN_OR_RETURN(const std::shared_ptr<const Checkpoint> checkpoint, OpenCheckpoint(source));
  std::unique_ptr<ThreadPool> own;
  ThreadPool* pool = options.pool;
  if (pool == nullptr) {
    own = std::make_unique<ThreadPool>(AvailableProcessors());
    pool = own.get();
  }
  const bool gguf = checkpoint->kind() == CheckpointKind::kGguf;
  if (!bnb) {
    return gguf ? QuantizeGguf(*checkpoint, destination, *recipe, options, *pool)
                : ConvertToGguf(source, destination, *recipe, options, *pool);
  }
  if (gguf) {
    return InvalidArgument(
        source + " is a GGUF file, and " + options.type +
        " is written as a Hugging Face directory, which needs the files of one "
        "(config.json, tokenizer); name the Hugging Face directory of the model, "
        "or a GGUF type");
  }
  return QuantizeToBitsandbytes(*checkpoint, destination, int8, options, *pool);
}

}  // namespace galen
