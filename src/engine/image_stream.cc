#include "engine/image_stream.h"

#include <algorithm>
#include <utility>

namespace galen {

ImageStream::ImageStream(int64_t count, int64_t ahead, Prepare prepare)
    : count_(count),
      ahead_(static_cast<size_t>(std::max<int64_t>(ahead, 1))),
      prepare_(std::move(prepare)),
      thread_([this] { Work(); }) {}

ImageStream::~ImageStream() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::optional<StreamedImage> ImageStream::Next() {
  std::unique_lock lock(mutex_);
  if (taken_ == count_) return std::nullopt;
  changed_.wait(lock, [this] { return !ready_.empty(); });
  StreamedImage next = std::move(ready_.front());
  ready_.pop_front();
  ++taken_;
  changed_.notify_all();
  return next;
}

void ImageStream::Work() {
  for (int64_t i = 0; i < count_; ++i) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || ready_.size() < ahead_; });
      if (stop_) return;
    }
    StreamedImage item;
    item.index = i;
    Result<Image> image = prepare_(i, &item.warnings);
    if (image.ok()) {
      item.image = std::move(*image);
    } else {
      item.status = image.status();
    }
    const std::lock_guard lock(mutex_);
    ready_.push_back(std::move(item));
    changed_.notify_all();
  }
}

}  // namespace galen
