#include "tensor/arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace galen {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;
constexpr int64_t kAlignment = 64;  // a cache line and a 512-bit vector
// [*begin, *end): the whole pages of the block; empty where it has none.
void PagesWithin(void* block, int64_t bytes, uintptr_t* begin, uintptr_t* end) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto start = reinterpret_cast<uintptr_t>(block);
  *begin = (start + page - 1) / page * page;
  *end = std::max(*begin, (start + static_cast<uintptr_t>(bytes)) / page * page);
}

}  // namespace

void MakeSparse(void* block, int64_t bytes) {
  uintptr_t begin, end;
  PagesWithin(block, bytes, &begin, &end);
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_NOHUGEPAGE);
}

void ZeroSparse(void* block, int64_t bytes) {
  uintptr_t begin, end;
  PagesWithin(block, bytes, &begin, &end);
  auto* const first = static_cast<uint8_t*>(block);
  if (begin == end || ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED) != 0) {
    std::memset(first, 0, static_cast<size_t>(bytes));
    return;
  }
  const auto head = begin - reinterpret_cast<uintptr_t>(block);
  std::memset(first, 0, head);
  std::memset(reinterpret_cast<void*>(end), 0, static_cast<size_t>(bytes) - head - (end - begin));
}

Result<PageBuffer> PageBuffer::Allocate(int64_t bytes, const char* what) {
  GALEN_CHECK(bytes >= 0);
  PageBuffer buffer;
  if (bytes == 0) return buffer;
  const int64_t size = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  // One huge page more than needed, so that the start can be aligned; the slack is given back.
  void* raw = ::mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) {
    return ResourceExhausted("cannot reserve " + std::to_string(bytes) + " bytes for " + what);
  }
  const auto start = reinterpret_cast<uintptr_t>(raw);
  const uintptr_t aligned = (start + kHugePage - 1) / kHugePage * kHugePage;
  if (aligned > start) ::munmap(raw, aligned - start);
  const uintptr_t tail = start + size + kHugePage - (aligned + size);
  if (tail > 0) ::munmap(reinterpret_cast<void*>(aligned + size), tail);
  buffer.data_ = reinterpret_cast<uint8_t*>(aligned);
  buffer.size_ = size;
  ::madvise(buffer.data_, size, MADV_HUGEPAGE);
  return buffer;
}

PageBuffer::~PageBuffer() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

PageBuffer& PageBuffer::operator=(PageBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Result<Arena> Arena::Create(int64_t capacity) {
  Arena arena;
  ASSIGN_OR_RETURN(arena.memory_, PageBuffer::Allocate(capacity, "activations"));
  return arena;
}

void* Arena::Allocate(int64_t bytes) {
  GALEN_CHECK(bytes >= 0);
  const int64_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  GALEN_CHECK(rounded <= memory_.size() - used_);
  void* block = memory_.data() + used_;
  used_ += rounded;
  high_water_ = std::max(high_water_, used_);
  return block;
}

Tensor Arena::NewTensor(std::initializer_list<int64_t> shape, DType dtype) {
  Tensor tensor;
  tensor.dtype = dtype;
  for (int64_t d : shape) tensor.dims[tensor.rank++] = d;
  tensor.data = Allocate(tensor.rows() * RowBytes(dtype, tensor.cols()));
  return tensor;
}

void Arena::Rewind(int64_t mark) {
  GALEN_CHECK(mark <= used_);
  used_ = mark;
}

}  // namespace galen
