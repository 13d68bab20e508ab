#include "store/import.h"

#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <vector>

#include "base/files.h"
#include "store/blob_writer.h"
#include "store/model_card.h"
#include "store/select_files.h"
#include "store/transfer.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxCard = size_t{4} << 20;

Result<int64_t> SizeOf(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return SystemError("cannot open", path);
  if (!S_ISREG(info.st_mode)) return InvalidArgument(path + " is not a regular file");
  return info.st_size;
}

Result<ImportPlan> PlanDirectory(const std::string& path) {
  std::vector<RepoFile> present;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored))
      present.push_back(
          {it->path().filename().string(), static_cast<int64_t>(it->file_size(ignored)), "", ""});
  }
  if (error) return IoError("cannot read " + path + ": " + error.message());
  std::sort(present.begin(), present.end(),
            [](const RepoFile& a, const RepoFile& b) { return a.path < b.path; });
  ASSIGN_OR_RETURN(const Selection selection, SelectFiles(present, "", path));
  ImportPlan plan;
  plan.model.format = selection.format;
  plan.model.entry = selection.entry;
  plan.model.projector = selection.projector;
  for (const RepoFile& file : selection.files) {
    plan.model.files.push_back({file.path, "", "", file.size});
    plan.sources.push_back((fs::path(path) / file.path).string());
    if (file.path != "README.md") continue;
    if (const Result<std::string> card = ReadFile(plan.sources.back(), kMaxCard); card.ok())
      plan.model.license = LicenseOfCard(*card);
  }
  return plan;
}

}  // namespace

Result<ImportPlan> PlanImport(const std::string& path, const std::string& projector) {
  ImportPlan plan;
  if (IsDirectory(path)) {
    ASSIGN_OR_RETURN(plan, PlanDirectory(path));
  } else {
    plan.model.format = "gguf";
    for (const std::string& file : {path, projector}) {
      if (file.empty()) continue;
      ASSIGN_OR_RETURN(const int64_t size, SizeOf(file));
      const std::string name = fs::path(file).filename().string();
      if (!IsSafeRelativePath(name))
        return InvalidArgument(file + ": a file of the store cannot have that name");
      (plan.sources.empty() ? plan.model.entry : plan.model.projector) = name;
      plan.model.files.push_back({name, "", "", size});
      plan.sources.push_back(file);
    }
    if (plan.sources.size() == 2 && plan.model.entry == plan.model.projector)
      return InvalidArgument("the model and its projector have the same file name");
  }
  fs::path p = fs::absolute(path).lexically_normal();
  if (p.filename().empty()) p = p.parent_path();
  plan.model.source = p.string();
  plan.model.name = p.extension() == ".gguf" ? p.stem().string() : p.filename().string();
  return plan;
}

Result<StoredModel> ImportModel(const ModelStore& store, ImportPlan plan,
                                const ImportOptions& options) {
  StoredModel& model = plan.model;
  if (!options.name.empty()) model.name = options.name;
  if (!IsLocalName(model.name)) {
    const std::string shown = model.name.substr(0, 200);
    return InvalidArgument("'" + shown +
                           "' cannot be the name of a model (letters, digits and . _ -, beginning "
                           "with a letter or digit); give one with --name");
  }
  RETURN_IF_ERROR(CheckStorable(model));
  RETURN_IF_ERROR(store.Prepare());
  RETURN_IF_ERROR(CheckRoom(store, model.bytes()));
  for (size_t i = 0; i < model.files.size(); ++i) {
    ASSIGN_OR_RETURN(const StoredFile copied,
                     CopyToBlob(store, plan.sources[i], options.on_bytes, options.cancelled));
    model.files[i].sha256 = copied.sha256;
    model.files[i].size = copied.size;
  }
  const Result<StoredModel> before = store.FindLocal(model.name);
  if (before.ok() && !options.replace) {
    bool same = before->files.size() == model.files.size();
    for (size_t i = 0; same && i < model.files.size(); ++i)
      same = before->files[i].sha256 == model.files[i].sha256;
    if (!same) {
      return InvalidArgument("the store has another model of the name '" + model.name + "' (" +
                             before->source + "); choose one with --name, or --replace it");
    }
  }
  model.time = std::time(nullptr);
  RETURN_IF_ERROR(store.Commit(model, options.cancelled));
  return std::move(plan.model);
}

}  // namespace galen
