// GGUF to GGUF: the same tensors and metadata, other types.
#include "formats/gguf_writer.h"
#include "formats/quote.h"
#include "quantize/outputs.h"

namespace galen {
namespace {

int64_t NumLayers(const GgufFile& gguf) {
  const Result<std::string_view> architecture = gguf.GetString("general.architecture");
  if (!architecture.ok()) return 0;
  const Result<int64_t> layers = gguf.GetInt(std::string(*architecture) + ".block_count");
  return layers.ok() ? *layers : 0;
}

}  // namespace

Status WriteGguf(const Checkpoint& source, const GgufWriter::Layout& layout, OutputFile* file,
                 std::vector<OutputTensor>& tensors, const QuantizeOptions& options,
                 ThreadPool& pool, QuantizeReport* report) {
  RETURN_IF_ERROR(file->WriteAt(
      0, {reinterpret_cast<const uint8_t*>(layout.header.data()), layout.header.size()}));
  for (size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].file = file;
    tensors[i].at = layout.offsets[i];
  }
  RETURN_IF_ERROR(WriteAndReport(source, tensors, options, pool, report));
  RETURN_IF_ERROR(file->SetSize(layout.file_bytes));  // padding behind the last tensor
  report->bytes = layout.file_bytes;
  return file->Commit();
}

Result<QuantizeReport> QuantizeGguf(const Checkpoint& source, const std::string& destination,
                                    const GgufRecipe& recipe, const QuantizeOptions& options,
                                    ThreadPool& pool) {
  const GgufFile& gguf = *source.gguf();
  GgufWriter writer;
  for (const GgufEntry& entry : gguf.metadata()) {
    if (entry.key != "general.alignment") writer.Copy(entry);
  }
  writer.Set("general.quantization_version", uint32_t{2});
  writer.Set("general.file_type", recipe.file_type);

  QuantizeReport report;
  report.path = destination;
  std::vector<OutputTensor> tensors;
  const bool tied = !source.Has("output.weight");
  bool again = false;
  for (const TensorInfo& info : source.tensors()) {
    ASSIGN_OR_RETURN(const TensorInfo* found, source.Find(info.name));
    OutputTensor t;
    t.name = info.name;
    t.source = *found;
    t.dtype = info.dtype;
    if (FormatOf(info.dtype).decode != nullptr && !info.shape.empty()) {
      t.cols = info.shape.back();
      t.rows = t.cols > 0 ? info.NumElements() / t.cols : 0;
      const DType wanted = GgufTensorType(
          recipe, options, {info.name, info.shape, info.dtype, NumLayers(gguf), tied});
      // A vector that the source keeps in a type of its own stays as it is.
      if (info.shape.size() > 1 || FormatOf(info.dtype).block_elems > 1) t.dtype = wanted;
    }
    if (t.dtype != info.dtype) {
      t.kind = OutputKind::kBlocks;
      again = again || FormatOf(info.dtype).block_elems > 1;
      if (options.importance != nullptr) {
        const auto weights = options.importance->find(info.name);
        if (weights != options.importance->end()) t.importance = weights->second;
      }
    }
    AddReport(t, FormatOf(t.dtype).name, GgufWriter::TensorBytes(t.dtype, info.shape), &report);
    writer.AddTensor(t.name, t.dtype, info.shape);
    tensors.push_back(std::move(t));
  }
  if (again) {
    report.notes.push_back(
        "the source is quantised itself: its errors stay, and those of this type add to them");
  }
  const GgufWriter::Layout layout = writer.Finish();
  ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(destination, layout.file_bytes));
  RETURN_IF_ERROR(WriteGguf(source, layout, &file, tensors, options, pool, &report));
  return report;
}

}  // namespace galen
