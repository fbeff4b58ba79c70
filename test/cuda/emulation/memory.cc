// Device memory, and the check of every access of a kernel.
//
// Kernels are compiled with -fsanitize=kernel-address and calls for every access: the compiler then calls __asan_load4_noabort(address) and its
// like before each load and store. Here these functions know what a device thread may touch: allocations of the device, the shared
// memory of its block, and its own stack.
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "emulation.h"

namespace emulation {
namespace {

constexpr size_t arena_bytes = size_t{8} << 30;

struct Arena {
  char* base;
  size_t used = 0;
  std::map<uintptr_t, size_t> live;            // start → bytes
  std::multimap<size_t, uintptr_t> vacant;     // bytes (rounded) → start
  size_t live_bytes = 0;

  Arena()
      : base(static_cast<char*>(
            mmap(nullptr, arena_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {}
};

Arena& arena() {
  static Arena* instance = new Arena;
  return *instance;
}

size_t rounded(size_t bytes) { return (bytes + guard_bytes - 1) / guard_bytes * guard_bytes + guard_bytes; }

// The allocations that were hit last: most accesses are to a few buffers.
struct Range {
  uintptr_t start = 0, end = 0;
  bool holds(uintptr_t address, size_t bytes) const { return address >= start && address + bytes <= end; }
};
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
  auto& live = arena().live;
  auto after = live.upper_bound(address);
  if (after == live.begin()) return false;
  --after;
  if (address + bytes > after->first + after->second) return false;
  recent[recent_next] = {after->first, after->first + after->second};
  recent_next = (recent_next + 1) % recent_count;
  return true;
}

// Who touched four bytes of shared memory last: no kernel has smaller things there.
struct Touch {
  int writer = -1, write_barriers = 0, write_rendezvous = 0;
  int reader = -1, read_barriers = 0, read_rendezvous = 0;
  bool many_readers = false;
  bool atomic = false;
};
std::vector<Touch> touches;

bool ordered(int thread, int barriers, int rendezvous) {
  if (thread < 0 || thread == now.thread || barriers != now.barriers) return true;
  return thread / warpSize == now.thread / warpSize && rendezvous != now.rendezvous;
}

enum class Kind { load, store, atomic };

[[noreturn]] void stop(cudaError_t error, const char* what, const void* address, size_t bytes) {
  char sentence[320];
  snprintf(sentence, sizeof sentence, "%s: %zu bytes at %p, by thread %d of block (%u, %u, %u)", what, bytes, address,
           now.thread, blockIdx.x, blockIdx.y, blockIdx.z);
  report(error, sentence);
  stop_kernel();
}

void touch_shared(const void* address, size_t offset, size_t bytes, Kind kind) {
  for (size_t i = offset / 4; i < (offset + bytes + 3) / 4; ++i) {
    Touch& touch = touches[i];
    const bool after_write = ordered(touch.writer, touch.write_barriers, touch.write_rendezvous);
    if (!after_write && !(kind == Kind::atomic && touch.atomic))
      stop(cudaErrorLaunchFailure, "race on shared memory: an access and another thread's store with no barrier between them",
           address, bytes);
    if (kind == Kind::load) {
      const bool same = touch.read_barriers == now.barriers && touch.reader >= 0;
      touch.many_readers = same && (touch.many_readers || touch.reader != now.thread);
      touch.reader = now.thread;
      touch.read_barriers = now.barriers;
      touch.read_rendezvous = now.rendezvous;
      continue;
    }
    const bool after_read = touch.many_readers ? touch.read_barriers != now.barriers || touch.read_rendezvous != now.rendezvous
                                               : ordered(touch.reader, touch.read_barriers, touch.read_rendezvous);
    if (!after_read)
      stop(cudaErrorLaunchFailure, "race on shared memory: a store and another thread's load with no barrier between them",
           address, bytes);
    touch.writer = now.thread;
    touch.write_barriers = now.barriers;
    touch.write_rendezvous = now.rendezvous;
    touch.atomic = kind == Kind::atomic;
  }
}

bool in_shared(uintptr_t at, size_t bytes) {
  const SharedMemory shared = shared_block();
  const uintptr_t low = reinterpret_cast<uintptr_t>(shared.data);
  return at >= low && at + bytes <= low + shared.bytes;
}

void check_rarely(const void* address, size_t bytes, Kind kind);

inline void check(const void* address, size_t bytes, Kind kind) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(address);
  if (at - now.stack < stack_bytes) return;
  if (now.thread < 0) return;  // the host, in a file that was compiled with the kernels
  if (!hit.holds(at, bytes) && !in_allocation(at, bytes)) {
    if (in_shared(at, bytes))
      touch_shared(address, at - reinterpret_cast<uintptr_t>(shared_block().data), bytes, kind);
    else
      check_rarely(address, bytes, kind);
    return;
  }
  if ((bytes & (bytes - 1)) == 0 && bytes <= 16 && at % bytes != 0)
    stop(cudaErrorIllegalAddress, "misaligned access to global memory", address, bytes);
  ++counted.accesses;
  (kind == Kind::load ? counted.loaded : counted.stored) += static_cast<int64_t>(bytes);
  if (bytes == 16) ++counted.wide;
}

/** What is no memory of the device: the arguments of the kernel, or a mistake. */
void check_rarely(const void* address, size_t bytes, Kind kind) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(address);
  const SharedMemory shared = shared_block();
  const uintptr_t low = reinterpret_cast<uintptr_t>(shared.data);
  const Work& work = running().work;
  const uintptr_t bound = reinterpret_cast<uintptr_t>(work.bound.get());
  if (kind == Kind::load && at >= bound && at + bytes <= bound + work.bytes) return;
  const char* base = arena().base;
  const char* p = static_cast<const char*>(address);
  if (p >= base && p < base + arena_bytes)
    stop(cudaErrorIllegalAddress, "access outside of every allocation of the device", address, bytes);
  if (at + guard_bytes >= low && at < low + shared.bytes + guard_bytes)
    stop(cudaErrorIllegalAddress, "access outside of the shared memory that the launch asked for", address, bytes);
  stop(cudaErrorIllegalAddress, "access to memory of the host", address, bytes);
}

}  // namespace

void begin_block() { touches.assign((shared_block().bytes + 3) / 4, Touch{}); }

void check_atomic(const void* address, size_t bytes) { check(address, bytes, Kind::atomic); }

void open_device(bool open) {
  Arena& a = arena();
  if (a.used > 0) mprotect(a.base, (a.used + 4095) / 4096 * 4096, open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

void* allocate_device(size_t bytes) {
  Arena& a = arena();
  if (settings().fail_allocation == 0 || a.live_bytes + bytes > settings().memory) {
    settings().fail_allocation = -1;
    return nullptr;
  }
  if (settings().fail_allocation > 0) --settings().fail_allocation;
  const size_t size = rounded(bytes);
  uintptr_t start;
  auto found = a.vacant.lower_bound(size);
  if (found != a.vacant.end() && found->first == size) {
    start = found->second;
    a.vacant.erase(found);
  } else {
    if (a.used + size > arena_bytes) return nullptr;
    start = reinterpret_cast<uintptr_t>(a.base + a.used);
    a.used += size;
  }
  a.live[start] = bytes;
  a.live_bytes += bytes;
  open_device(true);
  memset(reinterpret_cast<void*>(start), 0xff, size);  // all ones is a NaN: what a kernel leaves unwritten shows
  open_device(false);
  return reinterpret_cast<void*>(start);
}

bool release_device(void* pointer) {
  Arena& a = arena();
  auto found = a.live.find(reinterpret_cast<uintptr_t>(pointer));
  if (found == a.live.end()) return false;
  a.live_bytes -= found->second;
  a.vacant.emplace(rounded(found->second), found->first);
  a.live.erase(found);
  for (Range& range : recent) range = {};
  hit = {};
  return true;
}

bool on_device(const void* pointer, size_t bytes) {
  return bytes == 0 || in_allocation(reinterpret_cast<uintptr_t>(pointer), bytes);
}

size_t device_bytes() { return arena().live_bytes; }

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
