#include "core/scratch.h"

#include <cstdint>

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
    // The next line throws where there is no memory: the slot is empty then.
    slots.data[slot] = nullptr;
    slots.bytes[slot] = 0;
    const size_t room = bytes > SIZE_MAX / 2 ? bytes : bytes + bytes / 4;
    slots.data[slot] = aligned_block(room);
    slots.bytes[slot] = room;
  }
  return slots.data[slot];
}

}  // namespace flow
