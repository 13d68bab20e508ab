// Arena: a bump allocator over one reserved range of addresses; pages become resident when first
// written. Activations and scratch of a step come from it; nothing is freed singly. PageBuffer: one
// large zeroed block for weights and KV pages.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "base/status.h"
#include "tensor/tensor.h"

namespace galen {

// Anonymous zeroed memory, 2 MiB aligned and backed by huge pages where the system grants them.
// Movable, not copyable.
class PageBuffer {
 public:
  PageBuffer() = default;
  // Fails with ResourceExhausted, naming `what`, when the system refuses the address range.
  static Result<PageBuffer> Allocate(int64_t bytes, const char* what);
  ~PageBuffer();
  PageBuffer(PageBuffer&& other) noexcept { *this = static_cast<PageBuffer&&>(other); }
  PageBuffer& operator=(PageBuffer&& other) noexcept;

  uint8_t* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  uint8_t* data_ = nullptr;
  int64_t size_ = 0;
};

// Of memory in a PageBuffer, the whole pages within: from now on one becomes resident when it is
// first written, whatever lies beside it.
void MakeSparse(void* begin, int64_t bytes);
// Zero again, and not resident.
void ZeroSparse(void* begin, int64_t bytes);

class Arena {
 public:
  // Reserves `capacity` bytes of address space (not of memory).
  static Result<Arena> Create(int64_t capacity);

  // 64-byte aligned, uninitialised. Running past the capacity is a bug of the memory plan
  // (GALEN_CHECK).
  void* Allocate(int64_t bytes);
  Tensor NewTensor(std::initializer_list<int64_t> shape, DType dtype = DType::kF32);

  int64_t mark() const { return used_; }
  // Forgets everything allocated since mark.
  void Rewind(int64_t mark);
  int64_t high_water() const { return high_water_; }

 private:
  PageBuffer memory_;
  int64_t used_ = 0;
  int64_t high_water_ = 0;
};

// Rewinds the arena at the end of a scope. Not to be used around ops that a tape records.
class ArenaScope {
 public:
  explicit ArenaScope(Arena* arena) : arena_(arena), mark_(arena->mark()) {}
  ~ArenaScope() { arena_->Rewind(mark_); }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Arena* arena_;
  int64_t mark_;
};

}  // namespace galen
