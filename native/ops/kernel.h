// What every op file includes: operands, tasks and the choice of the element type. These files are compiled once per
// instruction set, in namespace flow::FLOW_ISA, without the standard library: an inline function of it, compiled for
// AVX-512, could be the copy that the linker keeps for everybody.
#pragma once
#include "core/op.h"
#include "core/scratch.h"
#include "core/thread_pool.h"
#include "ops/operands.h"

namespace flow::FLOW_ISA {

inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Bytes below which a task is not worth a second thread.
inline constexpr int64_t task_bytes = 32 << 10;

// Cuts `rows` into tasks of about task_bytes each, by the sizes only, and runs body(first_row, last_row).
template <class F>
inline void parallel_rows(int64_t rows, int64_t bytes_per_row, const F& body) {
  if (rows <= 0) return;
  int64_t chunk = max_of(1, task_bytes / max_of(1, bytes_per_row));
  int64_t tasks = ceil_div(rows, chunk);
  parallel(tasks, [&](int64_t task) { body(task * chunk, min_of(rows, (task + 1) * chunk)); });
}

}  // namespace flow::FLOW_ISA
