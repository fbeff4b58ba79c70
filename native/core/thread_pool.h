// One pool of threads for the process, shared by every environment (worker_threads) that loads the addon.
// Kernels cut their work into tasks whose number and extent depend on the sizes only, never on the number of
// threads, and each task writes its own output: so results are the same bit for bit for 1 and n threads.
#pragma once
#include <stdint.h>

namespace flow {

// Runs body(ctx, 0) … body(ctx, tasks − 1), each once, on the pool and the calling thread; returns when all are done.
// When the pool is busy with another thread's call, or the call is nested, the tasks run on the caller. std::bad_alloc where one threw.
void parallel_for(int64_t tasks, void (*body)(void* ctx, int64_t task), void* ctx);

// Threads that work on a call of this thread's, the calling one included.
int thread_count();
// 1 ≤ threads ≤ 256; workers are started when they are first needed.
void set_thread_count(int threads);

// While it lives, calls of this thread use at most `most` threads; 0: as many as there are.
class ThreadLimit {
 public:
  explicit ThreadLimit(int most);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int before_;
};

// parallel_for for a lambda void(int64_t task).
template <class F>
inline void parallel(int64_t tasks, const F& body) {
  parallel_for(
      tasks, [](void* ctx, int64_t task) { (*static_cast<const F*>(ctx))(task); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

}  // namespace flow
