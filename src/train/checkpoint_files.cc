#include "train/checkpoint_files.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/files.h"
#include "formats/checkpoint.h"
#include "train/atomic_directory.h"
#include "train/write_tensors.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "checkpoint-";
constexpr std::string_view kDoomed = ".removed-";

std::string FolderOf(const std::string& output_dir, int64_t step) {
  return output_dir + "/" + std::string(kPrefix) + std::to_string(step);
}

std::vector<int64_t> Steps(const std::string& output_dir) {
  std::vector<int64_t> steps;
  std::error_code error;
  for (fs::directory_iterator it(output_dir, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    int64_t step = 0;
    const char* first = name.data() + kPrefix.size();
    const char* last = name.data() + name.size();
    const auto [stop, failed] = std::from_chars(first, last, step);
    if (failed == std::errc() && stop == last) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

}  // namespace

Status SaveCheckpoint(const std::string& output_dir, const TrainerState& state,
                      const std::vector<StateTensor>& tensors) {
  ASSIGN_OR_RETURN(AtomicDirectory folder,
                   AtomicDirectory::Create(FolderOf(output_dir, state.step)));
  std::vector<TensorToWrite> list;
  for (const StateTensor& t : tensors) list.push_back({t.name, t.dtype, t.shape, t.data, t.bytes});
  RETURN_IF_ERROR(WriteTensors(folder.path() + "/state.safetensors", list));
  Json json;
  json["step"] = state.step;
  json["best_eval_loss"] = state.best_eval_loss;
  json["evaluations_without_gain"] = state.evaluations_without_gain;
  json["identity"] = state.identity;
  RETURN_IF_ERROR(folder.WriteFile("trainer_state.json", json.dump(2) + "\n"));
  return folder.Commit();
}

int64_t LastCheckpoint(const std::string& output_dir) {
  const std::vector<int64_t> steps = Steps(output_dir);
  return steps.empty() ? -1 : steps.back();
}

Result<TrainerState> LoadCheckpoint(const std::string& output_dir, int64_t step,
                                    const std::vector<StateTensor>& tensors) {
  const std::string folder = FolderOf(output_dir, step);
  ASSIGN_OR_RETURN(const std::string text, ReadFile(folder + "/trainer_state.json"));
  Result<Json> json = ParseJson(text);
  if (!json.ok()) return json.status().WithContext(folder + "/trainer_state.json");
  ASSIGN_OR_RETURN(const std::shared_ptr<const Checkpoint> file,
                   OpenCheckpoint(folder + "/state.safetensors"));
  for (const StateTensor& t : tensors) {
    ASSIGN_OR_RETURN(const TensorInfo* info, file->Find(t.name));
    if (info->dtype != t.dtype || static_cast<int64_t>(info->bytes.size()) != t.bytes) {
      return DataLoss(folder + ": " + t.name + " has another size than this run's; was it made " +
                      "with other options?");
    }
  }
  TrainerState state;
  try {
    state.step = json->at("step").get<int64_t>();
    state.best_eval_loss = json->at("best_eval_loss").get<double>();
    state.evaluations_without_gain = json->at("evaluations_without_gain").get<int64_t>();
    state.identity = json->at("identity");
  } catch (const Json::exception&) {
    return DataLoss(folder + "/trainer_state.json lacks what a checkpoint of galen says");
  }
  for (const StateTensor& t : tensors) {
    const TensorInfo* info = *file->Find(t.name);
    std::memcpy(t.data, info->bytes.data(), info->bytes.size());
  }
  return state;
}

void RemoveOldCheckpoints(const std::string& output_dir, int64_t keep) {
  std::error_code error;
  const std::vector<int64_t> steps = Steps(output_dir);
  for (size_t i = 0; i + static_cast<size_t>(keep) < steps.size(); ++i) {
    // Renamed first: a checkpoint that is half gone must not look like one.
    fs::rename(FolderOf(output_dir, steps[i]),
               output_dir + "/" + std::string(kDoomed) + std::to_string(steps[i]), error);
  }
  // Also what a killed run did not get to.
  std::vector<fs::path> doomed;
  for (fs::directory_iterator it(output_dir, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    const bool partial = name.starts_with("." + std::string(kPrefix)) && name.ends_with(".partial");
    if (partial || name.starts_with(kDoomed)) doomed.push_back(it->path());
  }
  for (const fs::path& path : doomed) fs::remove_all(path, error);
}

}  // namespace galen
