// The two containers that a checkpoint is written to. For this folder alone.
#pragma once

#include "formats/gguf_writer.h"
#include "quantize/gguf_recipe.h"
#include "quantize/quantize.h"

namespace galen {

// A directory of safetensors with bitsandbytes weights.
Result<QuantizeReport> QuantizeToBitsandbytes(const Checkpoint& source,
                                              const std::string& destination, bool int8,
                                              const QuantizeOptions& options, ThreadPool& pool);

// A GGUF file from a GGUF file, and from a Hugging Face directory.
Result<QuantizeReport> QuantizeGguf(const Checkpoint& source, const std::string& destination,
                                    const GgufRecipe& recipe, const QuantizeOptions& options,
                                    ThreadPool& pool);
Result<QuantizeReport> ConvertToGguf(const std::string& source, const std::string& destination,
                                     const GgufRecipe& recipe, const QuantizeOptions& options,
                                     ThreadPool& pool);

// Fills and commits a GGUF file whose header is laid out.
Status WriteGguf(const Checkpoint& source, const GgufWriter::Layout& layout, OutputFile* file,
                 std::vector<OutputTensor>& tensors, const QuantizeOptions& options,
                 ThreadPool& pool, QuantizeReport* report);

// Runs WriteTensors with the options' progress; the report's tensors get their errors.
Status WriteAndReport(const Checkpoint& source, std::vector<OutputTensor>& tensors,
                      const QuantizeOptions& options, ThreadPool& pool, QuantizeReport* report);

// Adds the report's row of a tensor.
void AddReport(const OutputTensor& tensor, std::string_view to, int64_t bytes,
               QuantizeReport* report);

}  // namespace galen
