// Hugging Face to GGUF: names, order of rows and metadata become llama.cpp's. The text part only;
// llama.cpp keeps the image part in a file of its own.
#include <cstring>

#include "formats/gguf_writer.h"
#include "models/open_model.h"
#include "models/param_sources.h"
#include "quantize/gguf_metadata.h"
#include "quantize/outputs.h"

namespace galen {
namespace {

OutputTensor MakeTensor(const ParamSource& source, const GgufRecipe& recipe,
                        const QuantizeOptions& options, const ModelConfig& config) {
  const ParamSpec& spec = *source.spec;
  OutputTensor t;
  t.name = spec.gguf_name;
  t.source = source.tensor;
  t.kind = OutputKind::kBlocks;
  t.rows = spec.is_vector() ? 1 : spec.rows;
  t.cols = spec.is_vector() ? spec.rows : spec.cols;
  t.offset = spec.is_vector() ? spec.hf_offset : 0.0f;
  t.interleaved_heads = spec.gguf_interleaved_heads;
  if (spec.is_vector() && t.interleaved_heads > 0) std::swap(t.rows, t.cols);
  if (!spec.is_vector()) {
    t.dtype = GgufTensorType(recipe, options,
                             {t.name,
                              {spec.rows, spec.cols},
                              source.tensor.dtype,
                              config.num_hidden_layers,
                              config.tie_word_embeddings});
    // bitsandbytes' own types do not exist there.
    if (FormatOf(t.dtype).gguf_type < 0) t.dtype = DType::kBF16;
  }
  return t;
}

}  // namespace

Result<QuantizeReport> ConvertToGguf(const std::string& source, const std::string& destination,
                                     const GgufRecipe& recipe, const QuantizeOptions& options,
                                     ThreadPool& pool) {
  ASSIGN_OR_RETURN(const ModelFiles files, ReadModel(source));
  const std::unique_ptr<CausalLM> model = files.architecture->make(files.config);
  const std::vector<ParamSpec> specs = model->Params();
  ASSIGN_OR_RETURN(const ParamSources sources, FindParams(*files.checkpoint, specs));

  GgufWriter writer;
  RETURN_IF_ERROR(SetGgufMetadata(files, &writer));
  writer.Set("general.quantization_version", uint32_t{2});
  writer.Set("general.file_type", recipe.file_type);
  RETURN_IF_ERROR(SetGgufTokenizer(files, &writer));

  QuantizeReport report;
  report.path = destination;
  report.notes = sources.notes;
  if (files.vision_status.ok()) {
    report.notes.push_back(
        "the image part is not written: llama.cpp keeps it in a file of its own (mmproj)");
  }
  std::vector<OutputTensor> tensors;
  const auto add = [&](OutputTensor t, std::vector<int64_t> shape) {
    AddReport(t, FormatOf(t.dtype).name, GgufWriter::TensorBytes(t.dtype, shape), &report);
    writer.AddTensor(t.name, t.dtype, std::move(shape));
    tensors.push_back(std::move(t));
  };
  const std::vector<float> freqs = RopeFreqs(files.config);
  if (!freqs.empty()) {
    OutputTensor t;
    t.name = "rope_freqs.weight";
    t.source.name = t.name;
    t.source.dtype = DType::kF32;
    t.source.type_name = "f32";
    t.source.shape = {static_cast<int64_t>(freqs.size())};
    t.source.bytes = {reinterpret_cast<const uint8_t*>(freqs.data()), 4 * freqs.size()};
    std::vector<int64_t> shape = t.source.shape;
    add(std::move(t), std::move(shape));
  }
  for (const ParamSource& param : sources.params) {
    if (param.spec->gguf_name.empty()) continue;
    OutputTensor t = MakeTensor(param, recipe, options, files.config);
    if (options.importance != nullptr) {
      const auto weights = options.importance->find(param.tensor.name);
      if (weights != options.importance->end()) t.importance = weights->second;
    }
    add(std::move(t), param.tensor.shape);
  }

  const GgufWriter::Layout layout = writer.Finish();
  ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(destination, layout.file_bytes));
  RETURN_IF_ERROR(WriteGguf(*files.checkpoint, layout, &file, tensors, options, pool, &report));
  return report;
}

}  // namespace galen
