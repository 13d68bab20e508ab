// Slides that are being looked at: files that came once, of which tiles are asked for many times.
// Each is its tenant's alone, lies in a folder of this process, and goes when it is closed or was
// not asked for in a while. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "media/slide/slide.h"
#include "server/documents/media_folder.h"

namespace galen::server {

struct SlideLimits {
  size_t of_tenant = 4;
  size_t slides = 32;
  int64_t bytes = int64_t{2} << 30;  // of all files
  std::chrono::milliseconds keep{600'000};
  // One that was looked at within this makes no room for another of its tenant.
  std::chrono::milliseconds in_use{30'000};
};

// What holds it keeps its files, also when the room has let go of it.
class HeldSlide {
 public:
  HeldSlide(std::string tenant, MediaFolder folder, std::unique_ptr<Slide> slide, int64_t bytes)
      : tenant_(std::move(tenant)),
        bytes_(bytes),
        folder_(std::move(folder)),
        slide_(std::move(slide)) {}
  const std::string& tenant() const { return tenant_; }
  const MediaFolder& folder() const { return folder_; }
  const Slide& slide() const { return *slide_; }
  int64_t bytes() const { return bytes_; }
  // What `make` gives, which is kept where it succeeds; one call at a time.
  using Jpeg = std::vector<uint8_t>;
  Result<Jpeg> Overview(const std::function<Result<Jpeg>()>& make) const;

 private:
  const std::string tenant_;
  const int64_t bytes_;
  const MediaFolder folder_;
  const std::unique_ptr<Slide> slide_;  // goes before its files
  mutable std::mutex overview_mutex_;
  mutable std::optional<Jpeg> overview_;
};

class SlideRoom {
 public:
  explicit SlideRoom(const SlideLimits& limits);
  ~SlideRoom();

  // Its name: 128 random bits in hexadecimal digits. A tenant that has too many loses the one it
  // looked at longest ago. ResourceExhausted: it looks at all of them, or others have taken the
  // room.
  Result<std::string> Add(std::shared_ptr<const HeldSlide> slide);
  // Null: there is none of this name, or it is another tenant's. Keeps it for another while.
  std::shared_ptr<const HeldSlide> Find(const std::string& id, const std::string& tenant);
  // False as Find's null.
  bool Remove(const std::string& id, const std::string& tenant);
  const SlideLimits& limits() const { return limits_; }
  size_t size() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Place {
    std::shared_ptr<const HeldSlide> slide;
    Clock::time_point used;
  };
  void Sweep();

  const SlideLimits limits_;
  mutable std::mutex mutex_;
  std::map<std::string, Place> places_;
  std::condition_variable stopping_;
  bool stop_ = false;
  std::thread sweeper_;
};

}  // namespace galen::server
