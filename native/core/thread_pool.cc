#include "core/thread_pool.h"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <new>
#include <thread>

#include "core/stay_loaded.h"

namespace flow {
namespace {

constexpr int max_threads = 256;
constexpr int64_t max_tasks = (int64_t{1} << 24) - 2 * max_threads;
constexpr int spins_before_sleep = 20000;

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

// The tasks of the open job are dealt out in ranges, one a thread, and each range is one word: epoch (16 bits) | end (24) |
// next task (24). A thread takes a task by adding one to a word: first of its own range, then of the others'. The end travels
// in the same word, so that a late thread can never mix the end of one job with the counter of another; body and ctx of a
// job stay until all of its tasks are done.
//
// Ranges and not one counter, because the same rows then go to the same thread in one op after the other and stay in its
// cache, and because a thread that takes tasks of its own waits for no line that another core wrote last.
constexpr uint64_t field = (uint64_t{1} << 24) - 1;
constexpr uint64_t next_of(uint64_t range) { return range & field; }
constexpr uint64_t end_of(uint64_t range) { return (range >> 24) & field; }
constexpr bool open(uint64_t range) { return next_of(range) < end_of(range); }
constexpr size_t line = 128;  // two cache lines: the hardware fetches them in pairs

// A line of its own: an idle worker reads its word all the time, and a write to something beside it would cost a trip of the
// line between the cores.
struct alignas(line) Range {
  std::atomic<uint64_t> word{0};
};

class Pool {
 public:
  // On at most `most` threads. False where a task failed.
  bool run(int64_t tasks, void (*body)(void*, int64_t), void* ctx, int most) {
    start_workers();
    const int threads = started_ + 1 < most ? started_ + 1 : most;
    body_ = body;
    ctx_ = ctx;
    threads_ = threads;
    done_.store(0, std::memory_order_relaxed);
    failed_.store(false, std::memory_order_relaxed);
    ++epoch_;
    // Ours last: the workers can begin meanwhile.
    for (int t = threads - 1; t >= 0; --t) {
      const uint64_t first = static_cast<uint64_t>(tasks * t / threads);
      const uint64_t end = static_cast<uint64_t>(tasks * (t + 1) / threads);
      ranges_[t].word.store((uint64_t{epoch_} << 48) | (end << 24) | first, std::memory_order_seq_cst);
    }
    if (sleeping_.load(std::memory_order_seq_cst) > 0) {
      std::lock_guard<std::mutex> lock(sleep_mutex_);
      wake_.notify_all();
    }
    take_tasks(0, threads);
    while (done_.load(std::memory_order_acquire) != tasks) relax();
    return !failed_.load(std::memory_order_relaxed);
  }

  alignas(line) std::mutex busy;  // held by the thread whose job is open
  alignas(line) std::atomic<int> limit{default_threads()};

 private:
  // Nothing that a task throws may leave a worker, and the caller must wait for the others: the job fails when it is done.
  void run_task(int64_t task) {
    try {
      body_(ctx_, task);
    } catch (...) {
      failed_.store(true, std::memory_order_relaxed);
    }
  }

  void take_tasks(int own, int threads) {
    int64_t taken = 0;
    for (int k = 0; k < threads; ++k) {
      std::atomic<uint64_t>& word = ranges_[(own + k) % threads].word;
      while (open(word.load(std::memory_order_acquire))) {
        const uint64_t range = word.fetch_add(1, std::memory_order_acq_rel);
        if (!open(range)) break;
        run_task(static_cast<int64_t>(next_of(range)));
        ++taken;
      }
    }
    if (taken > 0) done_.fetch_add(taken, std::memory_order_acq_rel);
  }

  void start_workers() {
    int wanted = limit.load(std::memory_order_relaxed) - 1;
    for (; started_ < wanted; ++started_) {
      // Never joined: a joinable thread in a static aborts the process at exit, and the library is not unloaded.
      try {
        std::thread([this, own = started_ + 1] { work(own); }).detach();
      } catch (...) {
        limit.store(started_ + 1, std::memory_order_relaxed);  // no more threads to be had: go on with these
        return;
      }
    }
  }

  void work(int own);

  Range ranges_[max_threads];
  alignas(line) std::atomic<int64_t> done_{0};
  std::atomic<bool> failed_{false};
  alignas(line) void (*body_)(void*, int64_t) = nullptr;
  void* ctx_ = nullptr;
  int threads_ = 0;
  uint16_t epoch_ = 0;
  int started_ = 0;
  alignas(line) std::atomic<int> sleeping_{0};
  alignas(line) std::mutex sleep_mutex_;
  std::condition_variable wake_;
};

thread_local bool inside_task = false;
thread_local int most_threads = 0;  // see ThreadLimit

void Pool::work(int own) {
  inside_task = true;
  std::atomic<uint64_t>& word = ranges_[own].word;
  for (;;) {
    bool wanted = false;
    for (int spin = 0; spin < spins_before_sleep && !wanted; ++spin) {
      wanted = open(word.load(std::memory_order_acquire));
      if (!wanted) relax();
    }
    if (wanted) {
      // The first task must be taken before anything else of the job is read: until a task of ours is done, the job cannot
      // end, and body_, ctx_ and threads_ stay.
      const uint64_t range = word.fetch_add(1, std::memory_order_acq_rel);
      if (!open(range)) continue;
      run_task(static_cast<int64_t>(next_of(range)));
      const int threads = threads_;
      take_tasks(own, threads);
      done_.fetch_add(1, std::memory_order_acq_rel);
      continue;
    }
    std::unique_lock<std::mutex> lock(sleep_mutex_);
    sleeping_.fetch_add(1, std::memory_order_seq_cst);
    wake_.wait(lock, [&] { return open(word.load(std::memory_order_seq_cst)); });
    sleeping_.fetch_sub(1, std::memory_order_seq_cst);
  }
}

// Leaked on purpose: its threads outlive every static destructor.
Pool& pool() {
  static Pool* instance = (stay_loaded(), new Pool);
  return *instance;
}

}  // namespace

void parallel_for(int64_t tasks, void (*body)(void* ctx, int64_t task), void* ctx) {
  Pool& shared = pool();
  const int threads = thread_count();
  if (tasks > 1 && tasks <= max_tasks && !inside_task && threads > 1 && shared.busy.try_lock()) {
    inside_task = true;
    const bool done = shared.run(tasks, body, ctx, threads);
    inside_task = false;
    shared.busy.unlock();
    if (!done) throw std::bad_alloc();
    return;
  }
  for (int64_t task = 0; task < tasks; ++task) body(ctx, task);
}

int thread_count() {
  const int all = pool().limit.load(std::memory_order_relaxed);
  return most_threads > 0 && most_threads < all ? most_threads : all;
}

ThreadLimit::ThreadLimit(int most) : before_(most_threads) { most_threads = most; }
ThreadLimit::~ThreadLimit() { most_threads = before_; }

void set_thread_count(int threads) {
  pool().limit.store(threads < 1 ? 1 : threads > max_threads ? max_threads : threads, std::memory_order_relaxed);
}

}  // namespace flow
