// The gradient of a bias: sums of the columns of a matrix, in blocks of rows of a fixed size.

#include "core/scratch.h"
#include "core/thread_pool.h"
#include "gemm.h"
#include "vec.h"

namespace flow::FLOW_ISA {
namespace {

// Elements below which one thread does it all.
constexpr int64_t kSerialElements = 32 << 10;

constexpr int64_t up_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

}  // namespace

template <class T>
void column_sums(int64_t rows, int64_t columns, const T* a, int64_t lda, T* sum, bool accumulate) {
  using V = Vec<T>;
  constexpr int w = V::width;
  constexpr int64_t block = 256;
  const int64_t strip = 4 * w;
  const int64_t blocks = up_div(rows, block);
  T* partial = static_cast<T*>(scratch(static_cast<size_t>((blocks + 1) * columns) * sizeof(T), 0));
  const int64_t strips = up_div(columns, strip);
  const auto body = [&](int64_t task) {
    const int64_t r0 = task / strips * block;
    const int64_t r1 = lesser(rows, r0 + block);
    const int64_t n0 = task % strips * strip;
    T* out = partial + task / strips * columns + n0;
    const int64_t live = lesser(strip, columns - n0);
    if (live == strip) {
      V s0(T(0)), s1(T(0)), s2(T(0)), s3(T(0));
      for (int64_t r = r0; r < r1; ++r) {
        const T* row = a + r * lda + n0;
        s0 += load<V>(row);
        s1 += load<V>(row + w);
        s2 += load<V>(row + 2 * w);
        s3 += load<V>(row + 3 * w);
      }
      store(out, s0);
      store(out + w, s1);
      store(out + 2 * w, s2);
      store(out + 3 * w, s3);
      return;
    }
    for (int64_t n = 0; n < live; n += w) {
      const int count = static_cast<int>(lesser(w, live - n));
      V s(T(0));
      for (int64_t r = r0; r < r1; ++r) s += load_partial<V>(a + r * lda + n0 + n, count);
      store_partial(out + n, s, count);
    }
  };
  if (rows * columns < kSerialElements) {
    for (int64_t task = 0; task < blocks * strips; ++task) body(task);
  } else {
    parallel(blocks * strips, body);
  }
  for (int64_t n = 0; n < columns; ++n) {
    double total = accumulate ? static_cast<double>(sum[n]) : 0;
    for (int64_t b = 0; b < blocks; ++b) total += static_cast<double>(partial[b * columns + n]);
    sum[n] = static_cast<T>(total);
  }
}

template void column_sums<float>(int64_t, int64_t, const float*, int64_t, float*, bool);
template void column_sums<double>(int64_t, int64_t, const double*, int64_t, double*, bool);

}  // namespace flow::FLOW_ISA
