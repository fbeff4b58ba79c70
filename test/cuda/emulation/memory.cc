// Device memory, apart from that of the host, and pinned memory of the host.
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "emulation.h"

namespace emulation {
namespace {

constexpr size_t arena_bytes = size_t{8} << 30, page_bytes = 4096;
constexpr size_t touch_bytes = 32;

struct Allocation {
  size_t bytes;
  Touch* touches = nullptr;
};

struct Arena {
  char* base;
  size_t used = 0;
  std::map<uintptr_t, Allocation> live;     // by its start
  std::multimap<size_t, uintptr_t> vacant;  // bytes (rounded) → start
  size_t live_bytes = 0;
  int open = 0;

  Arena()
      : base(static_cast<char*>(
            mmap(nullptr, arena_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {}
};

Arena& arena() {
  static Arena* instance = new Arena;
  return *instance;
}

std::map<const char*, size_t>& pinned() {  // start → bytes
  static auto* instance = new std::map<const char*, size_t>;
  return *instance;
}

size_t rounded(size_t bytes) { return (bytes + guard_bytes - 1) / guard_bytes * guard_bytes + guard_bytes; }
size_t whole_pages(size_t bytes) { return (bytes + page_bytes - 1) / page_bytes * page_bytes; }

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
  a.live[start] = {bytes};
  a.live_bytes += bytes;
  // Its pages only: the whole arena takes its time.
  char* const first = reinterpret_cast<char*>(start / page_bytes * page_bytes);
  const size_t extent = whole_pages(start + size - reinterpret_cast<uintptr_t>(first));
  mprotect(first, extent, PROT_READ | PROT_WRITE);
  memset(reinterpret_cast<void*>(start), 0xff, size);  // all ones is a NaN: what a kernel leaves unwritten shows
  if (a.open == 0) mprotect(first, extent, PROT_NONE);
  return reinterpret_cast<void*>(start);
}

bool release_device(void* pointer) {
  Arena& a = arena();
  auto found = a.live.find(reinterpret_cast<uintptr_t>(pointer));
  if (found == a.live.end()) return false;
  a.live_bytes -= found->second.bytes;
  a.vacant.emplace(rounded(found->second.bytes), found->first);
  free(found->second.touches);
  a.live.erase(found);
  forget_ranges();
  return true;
}

}  // namespace

Range find_allocation(uintptr_t address, size_t bytes) {
  auto& live = arena().live;
  auto after = live.upper_bound(address);
  if (after == live.begin()) return {};
  --after;
  Allocation& found = after->second;
  if (address + bytes > after->first + found.bytes) return {};
  if (settings().races && !found.touches)
    found.touches = static_cast<Touch*>(calloc((found.bytes + 3) / 4, touch_bytes));
  return {after->first, after->first + found.bytes, found.touches};
}

bool in_arena(const void* address) {
  const char* p = static_cast<const char*>(address);
  return p >= arena().base && p < arena().base + arena_bytes;
}
bool on_device(const void* pointer, size_t bytes) {
  return bytes == 0 || find_allocation(reinterpret_cast<uintptr_t>(pointer), bytes).start != 0;
}
bool is_pinned(const void* pointer, size_t bytes) {
  const char* start = static_cast<const char*>(pointer);
  auto holder = pinned().upper_bound(start);
  return holder != pinned().begin() && start + bytes <= std::prev(holder)->first + std::prev(holder)->second;
}
size_t device_bytes() { return arena().live_bytes; }

void open_device(bool open) {
  Arena& a = arena();
  a.open += open ? 1 : -1;
  if (a.used > 0 && a.open == (open ? 1 : 0))
    mprotect(a.base, whole_pages(a.used), open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

}  // namespace emulation

using namespace emulation;

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const Turn turn;
  *total = settings().memory;
  *free = *total - device_bytes();
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  const Turn turn;
  make_context("cudaMalloc");
  if (ends_capture("cudaMalloc")) return note(cudaErrorStreamCaptureUnsupported);
  if (failed()) return note(pending_error());
  *pointer = allocate_device(bytes);
  return note(*pointer ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void* pointer) {
  const Turn turn;
  if (!pointer) return cudaSuccess;
  if (ends_capture("cudaFree")) return note(cudaErrorStreamCaptureUnsupported);
  return note(release_device(pointer) ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  const Turn turn;
  make_context("cudaMallocHost");
  if (ends_capture("cudaMallocHost")) return note(cudaErrorStreamCaptureUnsupported);
  *pointer = malloc(bytes ? bytes : 1);
  if (*pointer) pinned()[static_cast<char*>(*pointer)] = bytes;
  return note(*pointer ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFreeHost(void* pointer) {
  const Turn turn;
  if (ends_capture("cudaFreeHost")) return note(cudaErrorStreamCaptureUnsupported);
  if (pinned().erase(static_cast<char*>(pointer)) == 0) return note(cudaErrorInvalidValue);
  free(pointer);
  return cudaSuccess;
}
