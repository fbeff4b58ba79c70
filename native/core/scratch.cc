#include "core/scratch.h"

#include "core/memory.h"

namespace flow {
namespace {

struct Slots {
  void* data[scratch_slots] = {};
  size_t bytes[scratch_slots] = {};
  ~Slots() {
    for (void* block : data) aligned_release(block);
  }
};
thread_local Slots slots;

}  // namespace

void* scratch(size_t bytes, int slot) {
  if (slots.bytes[slot] < bytes) {
    aligned_release(slots.data[slot]);
    slots.bytes[slot] = bytes + bytes / 4;
    slots.data[slot] = aligned_block(slots.bytes[slot]);
  }
  return slots.data[slot];
}

}  // namespace flow
