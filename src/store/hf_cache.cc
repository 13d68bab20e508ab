#include "store/hf_cache.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "store/digest.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kModels = "models--";
constexpr int kMaxFilesOfModel = 10000;

std::string FolderOf(const std::string& repo) {
  std::string folder(kModels);
  for (const char c : repo) {
    if (c == '/')
      folder += "--";
    else
      folder += c;
  }
  return folder;
}

CachedModel ReadSnapshot(HubName name, const std::string& directory) {
  CachedModel model;
  model.name = std::move(name);
  model.directory = directory;
  model.commit = fs::path(directory).filename().string();
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end;
       !error && it != end && model.files.size() < kMaxFilesOfModel; it.increment(error)) {
    struct stat info;  // of what a link leads to
    const std::string path = it->path().string();
    if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    CachedFile file;
    file.path = it->path().lexically_relative(directory).string();
    file.file = path;
    file.size = info.st_size;
    std::error_code ignored;
    if (it->is_symlink(ignored)) {
      const std::string blob = fs::read_symlink(it->path(), ignored).filename().string();
      if (IsHex(blob, 64) || IsHex(blob, 40)) file.digest = blob;
    }
    model.time = std::max<int64_t>(model.time, info.st_mtime);
    model.files.push_back(std::move(file));
  }
  std::sort(model.files.begin(), model.files.end(),
            [](const CachedFile& a, const CachedFile& b) { return a.path < b.path; });
  return model;
}

}  // namespace

int64_t CachedModel::bytes() const {
  int64_t sum = 0;
  for (const CachedFile& file : files) sum += file.size;
  return sum;
}

std::string HfCacheRoot() {
  const auto environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (std::string root = environment("HF_HUB_CACHE"); !root.empty()) return root;
  if (std::string home = environment("HF_HOME"); !home.empty()) return home + "/hub";
  if (std::string cache = environment("XDG_CACHE_HOME"); !cache.empty())
    return cache + "/huggingface/hub";
  return environment("HOME") + "/.cache/huggingface/hub";
}

Result<CachedModel> FindInHfCache(const HubName& name, const std::string& given_root) {
  const std::string root = given_root.empty() ? HfCacheRoot() : given_root;
  const std::string folder = root + "/" + FolderOf(name.repo);
  std::string commit = name.branch();
  if (!IsHex(commit, 40)) {
    const Result<std::string> ref = ReadFile(folder + "/refs/" + name.branch(), 4096);
    if (!ref.ok()) return NotFound("no snapshot of " + name.text() + " in " + root);
    commit = ref->substr(0, ref->find_first_of(" \r\n"));
    if (!IsHex(commit, 40)) return DataLoss(folder + "/refs/" + name.branch() + " is no commit");
  }
  const std::string directory = folder + "/snapshots/" + commit;
  if (!IsDirectory(directory)) return NotFound("no snapshot of " + name.text() + " in " + root);
  return ReadSnapshot(name, directory);
}

std::vector<CachedModel> HfCacheModels(const std::string& given_root) {
  const std::string root = given_root.empty() ? HfCacheRoot() : given_root;
  std::vector<CachedModel> models;
  std::error_code error;
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    std::string repo = it->path().filename().string();
    if (!repo.starts_with(kModels)) continue;
    repo.erase(0, kModels.size());
    const size_t dashes = repo.find("--");
    if (dashes != std::string::npos) {
      repo[dashes] = '/';
      repo.erase(dashes + 1, 1);
    }
    const std::string refs = it->path().string() + "/refs";
    std::error_code ignored;
    for (fs::recursive_directory_iterator ref(refs, ignored), none; !ignored && ref != none;
         ref.increment(ignored)) {
      std::error_code unread;
      if (!ref->is_regular_file(unread)) continue;
      const std::string revision = ref->path().lexically_relative(refs).string();
      const Result<HubName> name = ParseHubName("hf:" + repo + "@" + revision);
      if (!name.ok()) continue;
      if (Result<CachedModel> model = FindInHfCache(*name, root); model.ok() && model->bytes() > 0)
        models.push_back(std::move(model).value());
    }
  }
  std::sort(models.begin(), models.end(), [](const CachedModel& a, const CachedModel& b) {
    return a.name.text() < b.name.text();
  });
  return models;
}

}  // namespace galen
