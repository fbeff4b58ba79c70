// The threads of a launch, one after the other on the host: each runs until it ends or waits for others.
//
// A thread that waits keeps its fiber; one that runs through gives it to the next. So kernels without barriers take one fiber, and a
// switch costs what setjmp and longjmp cost. Between two barriers the threads may run in any order: the order is a setting, and
// results that depend on it are a bug that the tests look for.
#include "emulation.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include <sys/mman.h>
#include <ucontext.h>

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace emulation {

Where now;

namespace {

enum class State { ready, at_barrier, at_warp, done };

struct Fiber {
  jmp_buf context;
  ucontext_t start;
  char* stack = nullptr;
  bool started = false;
};

struct Thread {
  State state = State::ready;
  Fiber* fiber = nullptr;
  const void* place = nullptr;  // the barrier's call
  unsigned mask = 0;
  unsigned from = 0;
  uint64_t value = 0;   // given to the warp
  uint64_t result = 0;  // taken from it
  unsigned ballot = 0;
};

jmp_buf scheduler;
std::vector<Fiber*> idle;
std::vector<std::unique_ptr<Fiber>> fibers;
std::vector<Thread> threads;
const Launch* running_launch;
int current = -1;  // thread of the block
int64_t block_index = 0;
bool stopped = false;
int barriers = 0;              // of the block so far
std::vector<int> warp_epochs;  // rendezvous of each warp so far
std::vector<char> shared;

void yield() {
  Fiber* own = threads[static_cast<size_t>(current)].fiber;
  if (_setjmp(own->context) == 0) _longjmp(scheduler, 1);
}

void fiber_main() {
  for (;;) {
    running_launch->kernel.thread(running_launch->kernel.function, running_launch->arguments.get());
    threads[static_cast<size_t>(current)].state = State::done;
    yield();
  }
}

Fiber* take_fiber() {
  if (!idle.empty()) {
    Fiber* fiber = idle.back();
    idle.pop_back();
    return fiber;
  }
  fibers.push_back(std::make_unique<Fiber>());
  Fiber* fiber = fibers.back().get();
  fiber->stack = static_cast<char*>(
      mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  return fiber;
}

void stand_at(int thread) {
  current = thread;
  const unsigned t = static_cast<unsigned>(thread);
  threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y};
  now = {thread, barriers, warp_epochs[t / warpSize], reinterpret_cast<uintptr_t>(threads[t].fiber->stack)};
}

void resume(int index) {
  Thread& thread = threads[static_cast<size_t>(index)];
  if (!thread.fiber) thread.fiber = take_fiber();
  stand_at(index);
  begin_turn();
  if (_setjmp(scheduler) == 0) {
    Fiber* fiber = thread.fiber;
    if (fiber->started) _longjmp(fiber->context, 1);
    fiber->started = true;
    getcontext(&fiber->start);
    fiber->start.uc_stack.ss_sp = fiber->stack;
    fiber->start.uc_stack.ss_size = stack_bytes;
    fiber->start.uc_link = nullptr;
    makecontext(&fiber->start, fiber_main, 0);
    setcontext(&fiber->start);
  }
  now.thread = -1;
  if (thread.state == State::done) {
    idle.push_back(thread.fiber);
    thread.fiber = nullptr;
  }
}

/** The threads in the order of the setting. */
std::vector<int> order_of(int count, uint64_t salt) {
  std::vector<int> order(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i)
    order[static_cast<size_t>(i)] = settings().order == Order::descending ? count - 1 - i : i;
  if (settings().order == Order::random) {
    uint64_t state = settings().seed * 0x9E3779B97F4A7C15u + salt + 1;
    for (int i = count - 1; i > 0; --i) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(state % static_cast<uint64_t>(i + 1))]);
    }
  }
  return order;
}

/** Releases warps all of whose named threads have come. Returns whether any was. */
bool release_warps() {
  bool released = false;
  const int count = static_cast<int>(threads.size());
  for (int first = 0; first < count; first += warpSize) {
    const int lanes = count - first < warpSize ? count - first : warpSize;
    for (int lane = 0; lane < lanes; ++lane) {
      Thread& thread = threads[static_cast<size_t>(first + lane)];
      if (thread.state != State::at_warp) continue;
      bool complete = true;
      unsigned ballot = 0;
      for (int other = 0; other < lanes; ++other) {
        const Thread& peer = threads[static_cast<size_t>(first + other)];
        if (!(thread.mask >> other & 1)) continue;
        if (peer.state != State::at_warp || peer.mask != thread.mask) complete = false;
        if (peer.value != 0) ballot |= 1u << other;
      }
      // Lanes that the block does not have may be named by a full mask.
      if (!complete) continue;
      for (int other = 0; other < lanes; ++other) {
        Thread& peer = threads[static_cast<size_t>(first + other)];
        if (!(thread.mask >> other & 1)) continue;
        const int from = static_cast<int>(peer.from);
        const bool named = from < lanes && (thread.mask >> from & 1);
        // What a lane outside of the mask holds is undefined: all ones, a NaN.
        peer.result = named ? threads[static_cast<size_t>(first + from)].value : ~uint64_t{0};
        peer.ballot = ballot;
      }
      const unsigned mask = thread.mask;
      for (int other = 0; other < lanes; ++other)
        if (mask >> other & 1) threads[static_cast<size_t>(first + other)].state = State::ready;
      ++warp_epochs[static_cast<size_t>(first / warpSize)];
      released = true;
    }
  }
  return released;
}

/** Opens the barrier when all threads stand at it. Returns whether it was opened. */
bool release_barrier() {
  const void* place = nullptr;
  for (const Thread& thread : threads) {
    if (thread.state != State::at_barrier) return false;
    if (place && place != thread.place) {
      report(cudaErrorLaunchFailure, "threads of a block wait at different __syncthreads()");
      return false;
    }
    place = thread.place;
  }
  ++barriers;
  for (Thread& thread : threads) thread.state = State::ready;
  return true;
}

/** The fibers of a block that cannot go on are lost in their places: they start anew. */
void leave_fibers() {
  for (Thread& thread : threads) {
    if (!thread.fiber) continue;
    thread.fiber->started = false;
    idle.push_back(thread.fiber);
    thread.fiber = nullptr;
  }
}

void run_block(int count, uint64_t salt) {
  threads.assign(static_cast<size_t>(count), Thread{});
  warp_epochs.assign(static_cast<size_t>((count + warpSize - 1) / warpSize), 0);
  barriers = 0;
  begin_block();
  for (uint64_t turn = 0;; ++turn) {
    for (int index : order_of(count, salt * 1000003 + turn)) {
      if (threads[static_cast<size_t>(index)].state != State::ready) continue;
      resume(index);
      if (stopped) return leave_fibers();
    }
    bool done = true;
    for (const Thread& thread : threads) done = done && thread.state == State::done;
    if (done) return;
    bool ready = false;
    for (const Thread& thread : threads) ready = ready || thread.state == State::ready;
    if (ready || release_warps() || release_barrier()) continue;
    if (!failed())
      report(cudaErrorLaunchFailure,
             "divergent barrier: some threads of a block wait for others that have ended or wait elsewhere");
    return leave_fibers();
  }
}

}  // namespace

const Launch& running() { return *running_launch; }
int64_t running_block() { return block_index; }

void run_grid(const Launch& launch) {
  running_launch = &launch;
  gridDim = launch.grid;
  blockDim = launch.block;
  const uint64_t blocks = uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  const int count = static_cast<int>(launch.block.x * launch.block.y * launch.block.z);
  shared.assign(launch.shared + 2 * guard_bytes, '\xff');
  stopped = false;
  begin_launch();
  for (uint64_t k = 0; k < blocks && !stopped && !failed(); ++k) {
    const uint64_t block = settings().order == Order::ascending ? k : blocks - 1 - k;
    block_index = static_cast<int64_t>(block);
    blockIdx = {static_cast<unsigned>(block % launch.grid.x), static_cast<unsigned>(block / launch.grid.x % launch.grid.y),
                static_cast<unsigned>(block / launch.grid.x / launch.grid.y)};
    memset(shared.data(), 0xff, shared.size());
    run_block(count, block);
  }
  current = -1;
}

SharedMemory shared_block() {
  return {shared.data() + guard_bytes, shared.size() - 2 * guard_bytes};
}
void* shared_memory() { return shared_block().data; }

void stop_kernel() {
  stopped = true;
  now.thread = -1;
  _longjmp(scheduler, 1);
}

uint64_t exchange(unsigned mask, uint64_t value, unsigned from) {
  Thread& own = threads[static_cast<size_t>(current)];
  if (!(mask >> lane() & 1)) {
    report(cudaErrorLaunchFailure, "a warp function is called by a thread that is not in its mask");
    stop_kernel();
  }
  own.mask = mask;
  own.value = value;
  own.from = from;
  own.state = State::at_warp;
  yield();
  return threads[static_cast<size_t>(current)].result;
}

}  // namespace emulation

__attribute__((noinline)) void __syncthreads() {
  using namespace emulation;
  Thread& own = threads[static_cast<size_t>(current)];
  own.place = __builtin_return_address(0);
  own.state = State::at_barrier;
  yield();
}

void __syncwarp(unsigned mask) { emulation::exchange(mask, 0, 0); }

unsigned __ballot_sync(unsigned mask, int predicate) {
  using namespace emulation;
  exchange(mask, predicate != 0, 0);
  return threads[static_cast<size_t>(current)].ballot;
}
