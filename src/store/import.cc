#include "store/import.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <vector>

#include "base/files.h"
#include "base/output_file.h"
#include "store/model_card.h"
#include "store/select_files.h"
#include "store/transfer.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPiece = size_t{1} << 20;
constexpr size_t kMaxCard = size_t{4} << 20;

Result<int64_t> SizeOf(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return SystemError("cannot open", path);
  if (!S_ISREG(info.st_mode)) return InvalidArgument(path + " is not a regular file");
  return info.st_size;
}

// Reads `path` into a new file beside the blobs, and names that by its digest.
Result<StoredFile> CopyIn(const ModelStore& store, const std::string& path, StoredFile file,
                          const ImportOptions& options) {
  const Fd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (from.fd < 0) return SystemError("cannot open", path);
  std::string temporary = store.root() + "/blobs/import-XXXXXX";
  const Fd to(::mkostemp(temporary.data(), O_CLOEXEC));
  if (to.fd < 0) return SystemError("cannot create a file in", store.root() + "/blobs");
  struct Remover {
    const std::string& path;
    ~Remover() { ::unlink(path.c_str()); }
  } const remover{temporary};
  // Locked like a partial file of a pull, so that `galen rm --unused` leaves it alone.
  ASSIGN_OR_RETURN(const bool locked, WaitForLock(to.fd, temporary, options.cancelled));
  if (!locked) return Cancelled("stopped");
  Digest digest = Digest::Sha256();
  std::vector<uint8_t> piece(kPiece);
  int64_t size = 0;
  while (true) {
    const ssize_t n = ::read(from.fd, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("cannot read", path);
    if (n == 0) break;
    const std::span<const uint8_t> bytes(piece.data(), static_cast<size_t>(n));
    digest.Add(bytes);
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t written = ::write(to.fd, bytes.data() + at, bytes.size() - at);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return SystemError("cannot write", temporary);
      at += static_cast<size_t>(written);
    }
    size += n;
    if (options.on_bytes && !options.on_bytes(n)) return Cancelled("stopped");
  }
  file.size = size;
  file.sha256 = digest.Hex();
  if (store.HasBlob(file.sha256, file.size)) return file;
  if (::fsync(to.fd) != 0) return SystemError("cannot write", temporary);
  ::fchmod(to.fd, 0444);
  const std::string blob = store.BlobPath(file.sha256);
  if (::rename(temporary.c_str(), blob.c_str()) != 0) return SystemError("cannot name", blob);
  RETURN_IF_ERROR(SyncDirectory(store.root() + "/blobs"));
  return file;
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
    ASSIGN_OR_RETURN(model.files[i], CopyIn(store, plan.sources[i], model.files[i], options));
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
