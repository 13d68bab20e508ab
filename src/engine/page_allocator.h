// Which KV pages are in use, without their memory. Pages are counted references: a prefix that
// several sequences share holds each page once.
#pragma once

#include <cstdint>
#include <vector>

namespace galen {

class PageAllocator {
 public:
  explicit PageAllocator(int64_t num_pages);

  // A page with one reference, or -1 when none is free. Lower numbers first, so that untouched
  // memory stays untouched.
  int32_t Allocate();
  void Ref(int32_t page);
  void Unref(int32_t page);

  int64_t num_pages() const { return static_cast<int64_t>(references_.size()); }
  int64_t num_free() const { return static_cast<int64_t>(free_.size()); }
  int32_t references(int32_t page) const { return references_[page]; }

 private:
  std::vector<int32_t> references_;
  std::vector<int32_t> free_;  // a heap, smallest first
};

}  // namespace galen
