// The check of every access of a kernel.
//
// Kernels are compiled with -fsanitize=kernel-address and calls for every access: the compiler then calls __asan_load4_noabort(address) and its
// like before each load and store. Here these functions know what a device thread may touch: allocations of the device, the shared
// memory of its block, and its own stack; and who touched a word before, so that races show whatever the order of the threads.
#include <algorithm>
#include <cstdio>
#include <vector>

#include "emulation.h"

namespace emulation {

/**
 * Who touched four bytes last, in the block (shared memory) or launch (global memory) that runs. A thread is a number of its block.
 * Things of fewer bytes are not told apart: they are left out.
 */
struct Touch {
  uint32_t epoch = 0;  // of the block or launch; what stands there from another counts as nothing
  int16_t writer = nobody, reader = nobody;
  uint32_t writer_block = 0, reader_block = 0;
  uint32_t write_barriers = 0, write_rendezvous = 0, read_barriers = 0, read_rendezvous = 0;

  static constexpr int16_t nobody = -1;
  static constexpr int16_t many = -2;  // readers of the same block since the same barrier
  static constexpr uint32_t many_blocks = 0xffffffffu;
  static constexpr uint32_t by_atomic = 0x80000000u;  // in writer_block
};
static_assert(sizeof(Touch) == 32);

namespace {

// The allocations that were hit last: most accesses are to a few buffers.
constexpr int recent_count = 8;
Range hit;
Range recent[recent_count];
int recent_next = 0;

bool in_allocation(uintptr_t address, size_t bytes) {
  for (const Range& range : recent) {
    if (!range.holds(address, bytes)) continue;
    hit = range;
    return true;
  }
  const Range found = find_allocation(address, bytes);
  if (found.start == 0) return false;
  recent[recent_next] = found;
  recent_next = (recent_next + 1) % recent_count;
  hit = found;
  return true;
}

enum class Kind { load, store, atomic, fresh };

std::vector<Touch> shared_touches;
uint32_t launch_epoch = 0, block_epoch = 0;
uint32_t block_number = 0;
/** Whether the block has made an atomic operation on global memory: so it may know that others have done their part. */
bool block_asked = false;
/** How often a thread has asked since it last waited or ended. */
int64_t asked = 0;
constexpr int64_t most_asked = 1'000'000;

[[noreturn]] void stop(cudaError_t error, const char* what, const void* address, size_t bytes) {
  char sentence[320];
  snprintf(sentence, sizeof sentence, "%s: %zu bytes at %p, by thread %d of block (%u, %u, %u)", what, bytes, address,
           now.thread, blockIdx.x, blockIdx.y, blockIdx.z);
  report(error, sentence);
  stop_kernel();
}

bool ordered(int thread, uint32_t barriers, uint32_t rendezvous) {
  if (thread == now.thread || barriers != static_cast<uint32_t>(now.barriers)) return true;
  return thread / warpSize == now.thread / warpSize && rendezvous != static_cast<uint32_t>(now.rendezvous);
}
/** Whether what was written is ordered before an access of this thread, of a block that may have been another. */
bool after_write(const Touch& touch, Kind kind) {
  if (touch.writer == Touch::nobody) return true;
  const bool was_atomic = (touch.writer_block & Touch::by_atomic) != 0;
  if (kind == Kind::atomic && was_atomic) return true;
  if ((touch.writer_block & ~Touch::by_atomic) == block_number)
    return ordered(touch.writer, touch.write_barriers, touch.write_rendezvous);
  // A plain load may find old numbers in the first cache.
  return block_asked && kind != Kind::load;
}
bool after_reads(const Touch& touch) {
  if (touch.reader == Touch::nobody) return true;
  if (touch.reader_block != block_number) return block_asked;
  if (touch.reader != Touch::many) return ordered(touch.reader, touch.read_barriers, touch.read_rendezvous);
  return touch.read_barriers != static_cast<uint32_t>(now.barriers) ||
         touch.read_rendezvous != static_cast<uint32_t>(now.rendezvous);
}

void note_touch(Touch& touch, Kind kind) {
  const uint32_t barriers = static_cast<uint32_t>(now.barriers), rendezvous = static_cast<uint32_t>(now.rendezvous);
  const int16_t thread = static_cast<int16_t>(now.thread);
  if (kind == Kind::load || kind == Kind::fresh) {
    const bool other_block = touch.reader != Touch::nobody && touch.reader_block != block_number;
    const bool same_stretch = touch.reader != Touch::nobody && !other_block && touch.read_barriers == barriers;
    touch.reader_block = other_block ? Touch::many_blocks : block_number;
    touch.reader = same_stretch && touch.reader != thread ? Touch::many : thread;
    touch.read_barriers = barriers;
    touch.read_rendezvous = rendezvous;
    return;
  }
  touch.writer = thread;
  touch.writer_block = block_number | (kind == Kind::atomic ? Touch::by_atomic : 0);
  touch.write_barriers = barriers;
  touch.write_rendezvous = rendezvous;
}

/** An access of the words from `touch` on. */
void touch_words(Touch* touch, size_t count, uint32_t epoch, const char* where, const void* address, size_t bytes, Kind kind) {
  for (size_t i = 0; i < count; ++i, ++touch) {
    if (touch->epoch != epoch) *touch = {}, touch->epoch = epoch;
    const bool written = after_write(*touch, kind);
    if (!written || (kind != Kind::load && kind != Kind::fresh && !after_reads(*touch))) {
      char sentence[160];
      const char* what = written ? "a store and another thread's load" : "an access and another thread's store";
      snprintf(sentence, sizeof sentence, "race on %s memory: %s with no barrier between them", where, what);
      stop(cudaErrorLaunchFailure, sentence, address, bytes);
    }
    note_touch(*touch, kind);
  }
}

[[gnu::noinline]] void touch_global(uintptr_t at, size_t bytes, Kind kind) {
  if (bytes < 4) return;
  touch_words(hit.touches + (at - hit.start) / 4, (bytes + 3) / 4, launch_epoch, "global", reinterpret_cast<const void*>(at), bytes, kind);
}

/** False where the address is none of shared memory. */
bool touch_shared(uintptr_t at, size_t bytes, Kind kind) {
  const SharedMemory shared = shared_block();
  const uintptr_t low = reinterpret_cast<uintptr_t>(shared.data);
  if (at < low || at + bytes > low + shared.bytes) return false;
  const void* address = reinterpret_cast<const void*>(at);
  if ((bytes & (bytes - 1)) == 0 && bytes <= 16 && at % bytes != 0)
    stop(cudaErrorIllegalAddress, "misaligned access to shared memory", address, bytes);
  const size_t first = (at - low) / 4, last = (at - low + bytes + 3) / 4;
  touch_words(shared_touches.data() + first, last - first, block_epoch, "shared", address, bytes, kind);
  return true;
}

void check_rarely(const void* address, size_t bytes, Kind kind);

inline void check(const void* address, size_t bytes, Kind kind) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(address);
  if (at - now.stack < stack_bytes) return;
  if (now.thread < 0) return;  // the host, in a file that was compiled with the kernels
  if (!hit.holds(at, bytes) && !in_allocation(at, bytes)) {
    if (!touch_shared(at, bytes, kind)) check_rarely(address, bytes, kind);
    return;
  }
  if ((bytes & (bytes - 1)) == 0 && bytes <= 16 && at % bytes != 0)
    stop(cudaErrorIllegalAddress, "misaligned access to global memory", address, bytes);
  ++counted.accesses;
  (kind == Kind::load || kind == Kind::fresh ? counted.loaded : counted.stored) += static_cast<int64_t>(bytes);
  if (bytes == 16) ++counted.wide;
  if (hit.touches) touch_global(at, bytes, kind);
}

/** What is no memory of the device: the arguments of the kernel, or a mistake. */
void check_rarely(const void* address, size_t bytes, Kind kind) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(address);
  const SharedMemory shared = shared_block();
  const uintptr_t low = reinterpret_cast<uintptr_t>(shared.data);
  const Launch& launch = running();
  const uintptr_t arguments = reinterpret_cast<uintptr_t>(launch.arguments.get());
  if (kind == Kind::load && at >= arguments && at + bytes <= arguments + launch.kernel.argument_bytes) return;
  if (in_arena(address)) stop(cudaErrorIllegalAddress, "access outside of every allocation of the device", address, bytes);
  if (at + guard_bytes >= low && at < low + shared.bytes + guard_bytes)
    stop(cudaErrorIllegalAddress, "access outside of the shared memory that the launch asked for", address, bytes);
  stop(cudaErrorIllegalAddress, "access to memory of the host", address, bytes);
}

/** A thread that asks again and again waits for a block that may not run before this one has ended. */
void ask(const void* address, size_t bytes) {
  if (++asked > most_asked)
    stop(cudaErrorLaunchFailure, "a thread waits for another block: blocks need not run at the same time", address, bytes);
}

}  // namespace

void forget_ranges() {
  for (Range& range : recent) range = {};
  hit = {};
}

void begin_launch() {
  ++launch_epoch;
  forget_ranges();  // whether races are looked for may have changed
}
void begin_block() {
  shared_touches.resize(std::max(shared_touches.size(), (shared_block().bytes + 3) / 4));
  ++block_epoch;
  block_number = static_cast<uint32_t>(running_block());
  block_asked = false;
}
void begin_turn() { asked = 0; }

void check_atomic(const void* address, size_t bytes) {
  check(address, bytes, Kind::atomic);
  if (!in_arena(address)) return;
  block_asked = true;
  ask(address, bytes);
}
void check_fresh(const void* address, size_t bytes) {
  check(address, bytes, Kind::fresh);
  ask(address, bytes);
}

}  // namespace emulation

#define FLOW_HOOKS(bytes)                                                          \
  extern "C" void __asan_load##bytes##_noabort(void* address) {                    \
    emulation::check(address, bytes, emulation::Kind::load);                       \
  }                                                                                \
  extern "C" void __asan_store##bytes##_noabort(void* address) {                   \
    emulation::check(address, bytes, emulation::Kind::store);                      \
  }
FLOW_HOOKS(1)
FLOW_HOOKS(2)
FLOW_HOOKS(4)
FLOW_HOOKS(8)
FLOW_HOOKS(16)
#undef FLOW_HOOKS
extern "C" void __asan_loadN_noabort(void* address, size_t bytes) {
  emulation::check(address, bytes, emulation::Kind::load);
}
extern "C" void __asan_storeN_noabort(void* address, size_t bytes) {
  emulation::check(address, bytes, emulation::Kind::store);
}
extern "C" void __asan_handle_no_return() {}
