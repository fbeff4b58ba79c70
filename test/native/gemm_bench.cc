// Speed of the products of native/simd/gemm.h in GFLOP/s and as a share of the core's measured peak.
//
//   F="-std=c++20 -Inative -O3 -ffp-contract=fast -fno-math-errno -Wall -Wextra -Werror -pthread"
//   CORE="native/core/scratch.cc native/core/memory.cc native/core/thread_pool.cc"
//   g++ $F -DFLOW_ISA=avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma
//       test/native/gemm_bench.cc native/simd/*.cc $CORE -o gemm_bench && ./gemm_bench   (one line)
//
// The peak is that of a loop of independent fused multiply-adds, measured before each case, since the clock
// of a shared machine moves. A time is the least of several runs (a loaded machine only ever adds).
// Dense counts 2·M·N·K operations; masked lines count the same, so that their ratio to dense is one of times.

#include "simd/gemm.h"

#include <algorithm>

#include "core/thread_pool.h"
#include "simd/vec.h"
#include "support.h"

namespace isa = flow::FLOW_ISA;
using isa::Epilogue;
using isa::Trans;

// Any vector register of the machine.
#if defined(FLOW_ARM)
#define FLOW_REGISTER(x) "w"(x)
#else
#define FLOW_REGISTER(x) "v"(x)
#endif

namespace {

template <class T>
double peak() {
  using V = isa::Vec<T>;
#if defined(__AVX512F__) || defined(FLOW_ARM)
  constexpr int chains = 24;
#else
  constexpr int chains = 12;
#endif
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    V acc[chains];
    FLOW_UNROLL
    for (int i = 0; i < chains; ++i) acc[i] = V(T(i) * T(1e-3));
    V a(T(0.999)), b(T(1e-3));
    asm volatile("" : "+" FLOW_REGISTER(a.v), "+" FLOW_REGISTER(b.v));
    constexpr int steps = 100000;
    const double start = test::seconds();
    for (int s = 0; s < steps; ++s) {
      FLOW_UNROLL
      for (int i = 0; i < chains; ++i) acc[i] = isa::fma(acc[i], a, b);
      // The loop may not be turned into fewer operations.
      asm volatile("" : "+" FLOW_REGISTER(a.v));
    }
    const double time = test::seconds() - start;
    V sum = acc[0];
    FLOW_UNROLL
    for (int i = 1; i < chains; ++i) sum += acc[i];
    volatile T sink = isa::horizontal_sum(sum);
    (void)sink;
    best = std::max(best, 2.0 * V::width * chains * steps / time * 1e-9);
  }
  return best;
}

// More rounds for two threads: on a shared machine both cores are seldom free at once.
int rounds = 12;

template <class F>
double time_of(const F& body) {
  body();
  double start = test::seconds();
  body();
  const double once = test::seconds() - start;
  const int repeat = once > 2e-3 ? 1 : static_cast<int>(2e-3 / (once + 1e-7)) + 1;
  double best = 1e9;
  for (int round = 0; round < rounds; ++round) {
    start = test::seconds();
    for (int i = 0; i < repeat; ++i) body();
    best = std::min(best, (test::seconds() - start) / repeat);
  }
  return best;
}

template <class T>
struct Layer {
  int64_t rows, inputs, units;
  std::vector<T> x, w, y, bias, dx, dw;
  std::vector<int32_t> extent;
  Layer(int64_t r, int64_t i, int64_t u)
      : rows(r), inputs(i), units(u), x(r * i), w(u * i), y(r * u), bias(u), dx(r * i), dw(u * i), extent(u) {
    test::Random random(3);
    for (auto* v : {&x, &w, &y, &bias}) {
      for (T& e : *v) e = static_cast<T>(random.symmetric());
    }
    for (int64_t o = 0; o < u; ++o) extent[o] = static_cast<int32_t>((o + 1) * i / u);
  }
  void forward() {
    Epilogue<T> e;
    e.bias = bias.data();
    e.act = isa::Activation::relu;
    isa::gemm<T>(Trans::no, Trans::yes, rows, units, inputs, x.data(), inputs, w.data(), inputs, y.data(), units, e);
  }
  void grad_input() {
    Epilogue<T> e;
    e.gate = x.data(), e.gate_ld = inputs, e.gate_act = isa::Activation::relu;
    isa::gemm<T>(Trans::no, Trans::no, rows, inputs, units, y.data(), units, w.data(), inputs, dx.data(), inputs, e);
  }
  void grad_weight() {
    isa::gemm<T>(Trans::yes, Trans::no, units, inputs, rows, y.data(), units, x.data(), inputs, dw.data(), inputs);
  }
  void masked_forward() {
    Epilogue<T> e;
    e.bias = bias.data();
    e.act = isa::Activation::relu;
    isa::masked_forward<T>(rows, units, inputs, x.data(), inputs, w.data(), inputs, {extent.data(), units}, y.data(),
                           units, e);
  }
  void masked_grad_input() {
    Epilogue<T> e;
    e.gate = x.data(), e.gate_ld = inputs, e.gate_act = isa::Activation::relu;
    isa::masked_grad_input<T>(rows, units, inputs, y.data(), units, w.data(), inputs, {extent.data(), units},
                              dx.data(), inputs, e);
  }
  void masked_grad_weight() {
    isa::masked_grad_weight<T>(rows, units, inputs, y.data(), units, x.data(), inputs, {extent.data(), units},
                               dw.data(), inputs);
  }
};

template <class T>
void line(const char* what, const Layer<T>& l, int threads, double time) {
  const double top = peak<T>() * threads;
  const double rate = 2.0 * l.rows * l.inputs * l.units / time * 1e-9;
  printf("%s %-12s %5ld x %4ld -> %4ld  %d thr  %9.1f us  %7.1f GFLOP/s  %5.1f %% of %.0f\n",
         sizeof(T) == 4 ? "f32" : "f64", what, static_cast<long>(l.rows), static_cast<long>(l.inputs),
         static_cast<long>(l.units), threads, time * 1e6, rate, 100 * rate / top, top);
  fflush(stdout);
}

template <class T>
void dense(int64_t rows, int64_t inputs, int64_t units, int threads) {
  flow::set_thread_count(threads);
  Layer<T> l(rows, inputs, units);
  line("forward", l, threads, time_of([&] { l.forward(); }));
  line("grad_input", l, threads, time_of([&] { l.grad_input(); }));
  line("grad_weight", l, threads, time_of([&] { l.grad_weight(); }));
  const double sums = time_of([&] { isa::column_sums<T>(rows, units, l.y.data(), units, l.bias.data()); });
  printf("%s column_sums  %5ld x %4ld  %d thr  %9.1f us  %7.1f GB/s\n", sizeof(T) == 4 ? "f32" : "f64",
         static_cast<long>(rows), static_cast<long>(units), threads, sums * 1e6,
         static_cast<double>(sizeof(T)) * static_cast<double>(rows * units) / sums * 1e-9);
}

template <class T>
void masked(int64_t rows, int64_t inputs, int64_t units, int threads) {
  flow::set_thread_count(threads);
  Layer<T> l(rows, inputs, units);
  const char* names[] = {"forward", "grad_input", "grad_weight"};
  double total[2] = {0, 0};
  for (int i = 0; i < 3; ++i) {
    const auto full = [&] { i == 0 ? l.forward() : i == 1 ? l.grad_input() : l.grad_weight(); };
    const auto part = [&] { i == 0 ? l.masked_forward() : i == 1 ? l.masked_grad_input() : l.masked_grad_weight(); };
    double best[2] = {1e9, 1e9};
    for (int round = 0; round < 4; ++round) {
      best[0] = std::min(best[0], time_of(full));
      best[1] = std::min(best[1], time_of(part));
    }
    total[0] += best[0], total[1] += best[1];
    printf("%s masked/dense %-12s %ld x %ld -> %ld  %d thr  %7.1f / %7.1f us = %.3f\n", sizeof(T) == 4 ? "f32" : "f64",
           names[i], static_cast<long>(rows), static_cast<long>(inputs), static_cast<long>(units), threads,
           best[1] * 1e6, best[0] * 1e6, best[1] / best[0]);
  }
  printf("%s masked/dense all three %.3f\n", sizeof(T) == 4 ? "f32" : "f64", total[1] / total[0]);
}

}  // namespace

int main(int argc, char** argv) {
  const bool brief = argc > 1 && !strcmp(argv[1], "--brief");
  printf("gemm_bench %s\n", test::isa_name());
  for (int threads = 1; threads <= 2; ++threads) {
    rounds = threads == 1 ? 12 : 60;
    dense<float>(256, 512, 512, threads);
    masked<float>(256, 512, 512, threads);
    if (brief) continue;
    for (auto s : {std::pair{63, 512}, {512, 126}, {6, 100}, {100, 100}, {100, 12}}) dense<float>(256, s.first, s.second, threads);
    for (auto s : {std::pair{784, 1024}, {1024, 1568}}) dense<float>(128, s.first, s.second, threads);
    dense<float>(4096, 128, 128, threads);
    for (auto s : {std::pair{27, 128}, {128, 128}, {128, 12}}) dense<float>(16384, s.first, s.second, threads);
    masked<float>(256, 63, 512, threads);
    masked<float>(128, 784, 1024, threads);
    masked<float>(128, 1024, 1568, threads);
    dense<double>(256, 512, 512, threads);
    masked<double>(256, 512, 512, threads);
  }
}
