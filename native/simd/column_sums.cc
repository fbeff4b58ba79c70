// The gradient of a bias: sums of the columns of a matrix, in blocks of rows of a fixed size.

#include "core/scratch.h"
#include "core/thread_pool.h"
#include "column_sums.h"
#include "gemm.h"

namespace flow::FLOW_ISA {
namespace {

// Elements below which one thread does it all.
constexpr int64_t kSerialElements = 32 << 10;

constexpr int64_t up_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

}  // namespace

template <class T>
void column_sums(int64_t rows, int64_t columns, const T* a, int64_t lda, T* sum, bool accumulate) {
  const int64_t strip = 4 * Vec<T>::width;
  const int64_t blocks = up_div(rows, kSumRows);
  T* partial = static_cast<T*>(scratch(static_cast<size_t>((blocks + 1) * columns) * sizeof(T), 0));
  const int64_t strips = up_div(columns, strip);
  const auto body = [&](int64_t task) {
    const int64_t r0 = task / strips * kSumRows;
    const int64_t n0 = task % strips * strip;
    sum_rows(lesser(kSumRows, rows - r0), lesser(strip, columns - n0), a + r0 * lda + n0, lda,
             partial + task / strips * columns + n0);
  };
  if (rows * columns < kSerialElements) {
    for (int64_t task = 0; task < blocks * strips; ++task) body(task);
  } else {
    parallel(blocks * strips, body);
  }
  add_sums(blocks, columns, partial, sum, accumulate);
}

template void column_sums<float>(int64_t, int64_t, const float*, int64_t, float*, bool);
template void column_sums<double>(int64_t, int64_t, const double*, int64_t, double*, bool);

}  // namespace flow::FLOW_ISA
