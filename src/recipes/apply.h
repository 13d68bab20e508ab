// Recipes applied: files -> what a model sees.
#pragma once

#include <span>

#include "recipes/files.h"
#include "recipes/media_input.h"
#include "recipes/recipe.h"

namespace galen {

// Fails if the recipe does not fit the files (kInvalidArgument), if a file cannot be read, and if
// there is nothing to see in it (kNotFound).
Result<MediaInput> ApplyRecipe(const Recipe& recipe, std::span<const MediaFile> files,
                               const MediaOptions& options);

// kInvalidArgument where DICOM files among these are of different patients, unless the options
// allow it. ApplyRecipe checks the files of one input; a conversation has several.
Status CheckOnePatient(std::span<const MediaFile> files, const MediaOptions& options);

// Sets the words around the images that *input holds, and the digest. question empty: the recipe's
// own; kInvalidArgument where it has none.
Status LayOutWords(const Recipe& recipe, const std::string& question, MediaInput* input);

// The recipe for what the files are: pages for PDF, the slide's for slides, the one of the modality
// for DICOM ("xray-pair" for two radiographs), "ct" or "mr" for a volume, "image" for anything
// else.
Result<Recipe> DefaultRecipe(std::span<const MediaFile> files, const MediaOptions& options);

// `recipe` empty: DefaultRecipe.
Result<MediaInput> BuildInput(std::span<const MediaFile> files, const std::string& recipe,
                              const MediaOptions& options);

}  // namespace galen
