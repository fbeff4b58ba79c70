// What the parts of the emulation know of each other. cuda/ never includes this file.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "cuda_runtime.h"

namespace emulation {

/** In which order the blocks, and the threads between two barriers, run. */
enum class Order { ascending, descending, random };

struct Settings {
  Order order = Order::ascending;
  uint64_t seed = 1;
  /** The allocation, or the launch, after so many more fails; −1: none does. */
  int64_t fail_allocation = -1;
  int64_t fail_launch = -1;
  /** Bytes that the device has. */
  size_t memory = size_t{4} << 30;
  /** What cudaGetDeviceCount says. */
  int devices = 1;
  /** Kernels cut their work by these: a device of 4 multiprocessors and the shared memory of compute capability 8.0. */
  int multiprocessors = 4;
  size_t shared_bytes = size_t{163} << 10;
  /** Whether races on global memory are looked for, which takes time. */
  bool races = false;
};
Settings& settings();

/** What ran since the counters were last cleared. Bytes are of global memory, as the kernels asked for them. */
struct Counters {
  int64_t launches = 0;
  int64_t graph_launches = 0;
  /** Launches that were written into graphs. */
  int64_t captured = 0;
  /** How often the thread that made the stream waited for work. */
  int64_t waits = 0;
  int64_t loaded = 0;
  int64_t stored = 0;
  /** Loads and stores of 16 bytes. */
  int64_t wide = 0;
  int64_t accesses = 0;
};
extern Counters counted;
inline Counters& counters() { return counted; }
/** The same, a kernel. */
std::map<std::string, Counters>& counters_of_kernels();

/** Notes the first error; later work is refused with its code, as on a device whose context is lost. */
void report(cudaError_t error, const std::string& sentence);
bool failed();
cudaError_t pending_error();
const std::string& error_sentence();
void clear_error();
/** What cudaGetErrorString has to say beyond the name of the error, with which it begins. */
void say(const std::string& sentence);
/** What a call returns: kept for cudaGetLastError where it is an error. */
cudaError_t note(cudaError_t error);

// --- device.cc ---
/** What opening the device comes to, by the name of an error in FLOW_EMULATION_OPEN. */
bool opens_with(cudaError_t error);
/** What a call does that makes CUDA's context of the process, which takes memory of the device: the first goes into the file PLANTED_LOG. */
void make_context(const char* call);

// --- grid.cc ---
struct Launch {
  std::string name;
  dim3 grid, block;
  size_t shared;
  Kernel kernel;  // its `name` may be gone
  std::shared_ptr<const char[]> arguments;  // a thread may read them
};
/** The launch that runs. */
const Launch& running();
void run_grid(const Launch& launch);
/** The block that runs, counted from 0 along x, y, z. */
int64_t running_block();
/** Ends the running kernel from inside a thread. */
[[noreturn]] void stop_kernel();

inline constexpr size_t guard_bytes = 256;
struct SharedMemory {
  char* data;
  size_t bytes;
};
SharedMemory shared_block();
inline constexpr size_t stack_bytes = 256 << 10;
/**
 * The running thread; thread −1: none. Two accesses of one block are ordered if a barrier, or a rendezvous of their warp, is between
 * them. Plain data: it is looked at in every access.
 */
struct Where {
  int thread = -1;
  int barriers = 0;
  int rendezvous = 0;
  uintptr_t stack = 0;
};
extern Where now;

// --- stream.cc ---
/** One thread at a time: a worker may wait for an event while the main thread goes on. */
struct Turn {
  Turn();
  ~Turn();
};
/** An entry of a stream's queue. */
using Task = std::function<void()>;
/** Into the queue, or the graph that is being captured; `counts`: as one launch. */
void put(cudaStream_t stream, Task task, bool counts);
/** Puts work of the host over device memory into the stream, in the place of a launch. False: the launch was made to fail. */
bool enqueue(const char* name, cudaStream_t stream, std::function<void()> work);
bool is_capturing(cudaStream_t stream);
/**
 * What CUDA does not allow to a thread whose stream is being captured (to wait, to allocate): the capture is lost, and the call returns
 * cudaErrorStreamCaptureUnsupported. False where nothing is captured.
 */
bool ends_capture(const char* call);

// --- memory.cc ---
struct Touch;
/** An allocation of the device. `touches`: who touched its words, where races are looked for. */
struct Range {
  uintptr_t start = 0, end = 0;
  Touch* touches = nullptr;
  bool holds(uintptr_t address, size_t bytes) const { return address >= start && address + bytes <= end; }
};
/** The allocation that holds [address, address + bytes); start 0: none. */
Range find_allocation(uintptr_t address, size_t bytes);
/** Whether an address lies where the device's memory is, allocated or not. */
bool in_arena(const void* address);
/** Whether [pointer, pointer + bytes) lies in one allocation of the device. */
bool on_device(const void* pointer, size_t bytes);
/** Whether it lies in pinned memory of the host. */
bool is_pinned(const void* pointer, size_t bytes);
size_t device_bytes();
/** Whether the host may look into device memory: only while the device works. Nests. */
void open_device(bool open);

// --- access.cc ---
/** Allocations have changed. */
void forget_ranges();
/** Accesses of a new launch cannot race with those of the one before, nor those of shared memory with the block's before. */
void begin_launch();
void begin_block();
/** The thread that runs has waited for others, or is the next one. */
void begin_turn();

}  // namespace emulation
