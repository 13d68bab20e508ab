// Many image files, decoded on a thread of their own while the towers run.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "media/image/image.h"

namespace galen {

struct StreamedImage {
  int64_t index = 0;  // among those that were asked for
  Status status;      // not ok: there is no image
  Image image;
  std::vector<std::string> warnings;  // of reading it
};

// Used by one thread.
class ImageStream {
 public:
  using Prepare = std::function<Result<Image>(int64_t index, std::vector<std::string>* warnings)>;

  // Calls prepare(index, ...) for each index below `count` in order, on one thread; at most `ahead`
  // results wait to be taken. prepare must not throw.
  ImageStream(int64_t count, int64_t ahead, Prepare prepare);
  // Stops after the file in work.
  ~ImageStream();
  ImageStream(const ImageStream&) = delete;
  ImageStream& operator=(const ImageStream&) = delete;

  // The next one, in order; waits for it. Nothing at the end.
  std::optional<StreamedImage> Next();

 private:
  void Work();

  const int64_t count_;
  const size_t ahead_;
  const Prepare prepare_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<StreamedImage> ready_;
  int64_t taken_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace galen
