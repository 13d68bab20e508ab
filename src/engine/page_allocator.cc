#include "engine/page_allocator.h"

#include <algorithm>
#include <functional>

#include "base/status.h"

namespace galen {

PageAllocator::PageAllocator(int64_t num_pages) : references_(num_pages, 0), free_(num_pages) {
  for (int64_t i = 0; i < num_pages; ++i)
    free_[i] = static_cast<int32_t>(i);  // ascending order is a heap
}

int32_t PageAllocator::Allocate() {
  if (free_.empty()) return -1;
  std::pop_heap(free_.begin(), free_.end(), std::greater<>());
  const int32_t page = free_.back();
  free_.pop_back();
  references_[page] = 1;
  return page;
}

void PageAllocator::Ref(int32_t page) {
  GALEN_CHECK(references_[page] > 0);
  ++references_[page];
}

void PageAllocator::Unref(int32_t page) {
  GALEN_CHECK(references_[page] > 0);
  if (--references_[page] > 0) return;
  free_.push_back(page);
  std::push_heap(free_.begin(), free_.end(), std::greater<>());
}

}  // namespace galen
