#include "core/thread_pool.h"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace flow {
namespace {

constexpr int max_threads = 256;
constexpr int64_t max_tasks = (int64_t{1} << 24) - 2 * max_threads;
constexpr int spins_before_sleep = 20000;
constexpr size_t line = 128;  // two cache lines: the hardware fetches them in pairs

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int default_threads() {
  if (const char* text = std::getenv("FLOW_KERNELS_THREADS")) {
    int n = std::atoi(text);
    if (n >= 1 && n <= max_threads) return n;
  }
  int n = static_cast<int>(std::thread::hardware_concurrency());
  return n < 1 ? 1 : n > max_threads ? max_threads : n;
}

// The open job is one word: epoch (16 bits) | number of tasks (24) | next task (24). A thread takes a task by adding
// one to it. The limit travels in the same word, so that a late thread can never mix the limit of one job with
// the counter of another; body and ctx of a job stay until all of its tasks are done.
constexpr uint64_t field = (uint64_t{1} << 24) - 1;
constexpr uint64_t next_of(uint64_t ticket) { return ticket & field; }
constexpr uint64_t tasks_of(uint64_t ticket) { return (ticket >> 24) & field; }
constexpr bool open(uint64_t ticket) { return next_of(ticket) < tasks_of(ticket); }

class Pool {
 public:
  void run(int64_t tasks, void (*body)(void*, int64_t), void* ctx) {
    start_workers();
    body_ = body;
    ctx_ = ctx;
    done_.store(0, std::memory_order_relaxed);
    ++epoch_;
    ticket_.store((uint64_t{epoch_} << 48) | (static_cast<uint64_t>(tasks) << 24), std::memory_order_seq_cst);
    if (sleeping_.load(std::memory_order_seq_cst) > 0) {
      std::lock_guard<std::mutex> lock(sleep_mutex_);
      wake_.notify_all();
    }
    take_tasks();
    while (done_.load(std::memory_order_acquire) != tasks) relax();
  }

  alignas(line) std::mutex busy;  // held by the thread whose job is open
  alignas(line) std::atomic<int> limit{default_threads()};

 private:
  void take_tasks() {
    while (open(ticket_.load(std::memory_order_acquire))) {
      uint64_t ticket = ticket_.fetch_add(1, std::memory_order_acq_rel);
      if (!open(ticket)) return;
      body_(ctx_, static_cast<int64_t>(next_of(ticket)));
      done_.fetch_add(1, std::memory_order_acq_rel);
    }
  }

  void start_workers() {
    int wanted = limit.load(std::memory_order_relaxed) - 1;
    for (; started_ < wanted; ++started_) {
      // Never joined: a joinable thread in a static aborts the process at exit, and the library is not unloaded.
      try {
        std::thread([this, index = started_] { work(index); }).detach();
      } catch (...) {
        limit.store(started_ + 1, std::memory_order_relaxed);  // no more threads to be had: go on with these
        return;
      }
    }
  }

  void work(int index);

  // Each on a line of its own: idle workers read ticket_ all the time, and a write to something beside it would cost the
  // caller a trip of the line between the cores.
  alignas(line) std::atomic<uint64_t> ticket_{0};
  alignas(line) std::atomic<int64_t> done_{0};
  alignas(line) void (*body_)(void*, int64_t) = nullptr;
  void* ctx_ = nullptr;
  uint16_t epoch_ = 0;
  int started_ = 0;
  alignas(line) std::atomic<int> sleeping_{0};
  alignas(line) std::mutex sleep_mutex_;
  std::condition_variable wake_;
};

thread_local bool inside_task = false;

void Pool::work(int index) {
  inside_task = true;
  for (;;) {
    bool wanted = false;
    for (int spin = 0; spin < spins_before_sleep && !wanted; ++spin) {
      wanted = index < limit.load(std::memory_order_relaxed) - 1 && open(ticket_.load(std::memory_order_acquire));
      if (!wanted) relax();
    }
    if (wanted) {
      take_tasks();
      continue;
    }
    std::unique_lock<std::mutex> lock(sleep_mutex_);
    sleeping_.fetch_add(1, std::memory_order_seq_cst);
    wake_.wait(lock, [&] {
      return index < limit.load(std::memory_order_relaxed) - 1 && open(ticket_.load(std::memory_order_seq_cst));
    });
    sleeping_.fetch_sub(1, std::memory_order_seq_cst);
  }
}

// Leaked on purpose: its threads outlive every static destructor.
Pool& pool() {
  static Pool* instance = new Pool;
  return *instance;
}

}  // namespace

void parallel_for(int64_t tasks, void (*body)(void* ctx, int64_t task), void* ctx) {
  Pool& shared = pool();
  if (tasks > 1 && tasks <= max_tasks && !inside_task && shared.limit.load(std::memory_order_relaxed) > 1 &&
      shared.busy.try_lock()) {
    inside_task = true;
    shared.run(tasks, body, ctx);
    inside_task = false;
    shared.busy.unlock();
    return;
  }
  for (int64_t task = 0; task < tasks; ++task) body(ctx, task);
}

int thread_count() { return pool().limit.load(std::memory_order_relaxed); }

void set_thread_count(int threads) {
  pool().limit.store(threads < 1 ? 1 : threads > max_threads ? max_threads : threads, std::memory_order_relaxed);
}

}  // namespace flow
