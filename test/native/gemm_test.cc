// The products of native/simd/gemm.h against a naive loop in long double.
//
//   F="-std=c++20 -Inative -O3 -ffp-contract=fast -fno-math-errno -Wall -Wextra -Werror -pthread"
//   CORE="native/core/scratch.cc native/core/memory.cc native/core/thread_pool.cc"
//   g++ $F -DFLOW_ISA=avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma
//       test/native/gemm_test.cc native/simd/*.cc $CORE -o gemm_test && ./gemm_test   (one line)
//   g++ $F -DFLOW_ISA=avx2 -mavx2 -mfma …                 g++ $F -DFLOW_ISA=sse2 -msse2 …
//   with -fsanitize=address,undefined -g as well.
//
// What each case checks: every form (transposes, epilogues, accumulate) at odd sizes; padding and both ends
// of all matrices hold NaN, so that an element read from outside shows in the result and one written
// outside in the guard; 1 and 2 threads bit for bit; entries outside of a staircase exactly zero, and the
// weights there NaN, so that they are seen never to be used.
// Tolerance: (K + 8)·eps·Σ|a||b| + 4·eps·|result| bounds any order of summation; activations add 8 eps.

#include "simd/gemm.h"

#include "core/thread_pool.h"
#include "simd/vec.h"
#include "support.h"

namespace isa = flow::FLOW_ISA;
using isa::Activation;
using isa::Epilogue;
using isa::Trans;
using test::Matrix;
using test::Random;
using Real = long double;

namespace {

int failures = 0;
long cases = 0;
int64_t every = 1;  // --quick: one case in 20, for emulators

Real activation(Activation act, Real z, Real p) {
  switch (act) {
    case Activation::none: return z;
    case Activation::relu: return z > 0 ? z : 0;
    case Activation::tanh: return tanhl(z);
    case Activation::sigmoid: return 1 / (1 + expl(-z));
    case Activation::elu: return z > 0 ? z : p * expm1l(z);
    case Activation::leaky_relu: return z > 0 ? z : p * z;
    case Activation::softplus: return log1pl(expl(z));
    case Activation::gelu: return z * erfcl(-z / sqrtl(2)) / 2;
  }
  return 0;
}

Real factor(Activation act, Real y, Real p) {
  switch (act) {
    case Activation::relu: return y > 0;
    case Activation::tanh: return 1 - y * y;
    case Activation::sigmoid: return y * (1 - y);
    case Activation::elu: return y > 0 ? 1 : y + p;
    case Activation::leaky_relu: return y > 0 ? 1 : p;
    case Activation::softplus: return 1 - expl(-y);
    default: return y;
  }
}

struct Case {
  const char* form;  // dense, forward, grad_input, grad_weight
  Trans ta, tb;
  int64_t m, n, k;
  Activation act, gate_act;
  bool bias, gate, accumulate;
  int staircase;  // 0 sorted, 1 any order, 2 all zero, 3 all full
};

template <class T>
void check(const Case& q, uint64_t seed) {
  if (static_cast<int64_t>(seed) % every != 0) return;
  ++cases;
  Random random(seed);
  const bool forward = !strcmp(q.form, "forward"), grad_input = !strcmp(q.form, "grad_input"),
             grad_weight = !strcmp(q.form, "grad_weight"), dense = !strcmp(q.form, "dense");
  const Trans ta = grad_weight ? Trans::yes : dense ? q.ta : Trans::no;
  const Trans tb = forward ? Trans::yes : dense ? q.tb : Trans::no;
  const auto pad = [&] { return random.below(3) * random.below(9); };
  Matrix<T> a(ta == Trans::no ? q.m : q.k, ta == Trans::no ? q.k : q.m, (ta == Trans::no ? q.k : q.m) + pad() + 1);
  Matrix<T> b(tb == Trans::no ? q.k : q.n, tb == Trans::no ? q.n : q.k, (tb == Trans::no ? q.n : q.k) + pad() + 1);
  Matrix<T> gate(q.m, q.n, q.n + pad() + 1), bias(1, q.n, q.n + 1), before(q.m, q.n, q.n + pad() + 1);
  a.fill(random), b.fill(random), gate.fill(random), bias.fill(random), before.fill(random);

  const int64_t units = forward ? q.n : grad_input ? q.k : q.m;
  const int64_t inputs = forward ? q.k : q.n;
  std::vector<int32_t> extent(static_cast<size_t>(units));
  for (int64_t o = 0; o < units; ++o) {
    extent[static_cast<size_t>(o)] =
        static_cast<int32_t>(q.staircase == 0   ? (o * (inputs + 1)) / (units > 1 ? units - 1 : 1) > inputs
                                 ? inputs
                                 : (o * (inputs + 1)) / (units > 1 ? units - 1 : 1)
                             : q.staircase == 1 ? random.below(inputs + 1)
                             : q.staircase == 2 ? 0
                                                : inputs);
  }
  const auto seen = [&](int64_t m, int64_t n, int64_t k) {
    if (dense) return true;
    if (forward) return k < extent[static_cast<size_t>(n)];
    if (grad_input) return n < extent[static_cast<size_t>(k)];
    return n < extent[static_cast<size_t>(m)];
  };
  if (forward) {
    for (int64_t o = 0; o < q.n; ++o) {
      for (int64_t i = extent[static_cast<size_t>(o)]; i < q.k; ++i) b.at(o, i) = Matrix<T>::poison();
    }
  }
  if (grad_input) {
    for (int64_t o = 0; o < q.k; ++o) {
      for (int64_t i = extent[static_cast<size_t>(o)]; i < q.n; ++i) b.at(o, i) = Matrix<T>::poison();
    }
  }

  Epilogue<T> e;
  e.act = q.act;
  e.act_param = 0.75;
  e.bias = q.bias ? bias.data() : nullptr;
  e.gate = q.gate ? gate.data() : nullptr;
  e.gate_ld = gate.ld;
  e.gate_act = q.gate_act;
  e.gate_param = 0.25;
  e.accumulate = q.accumulate;
  const isa::Staircase mask{extent.data(), units};
  const auto run = [&](Matrix<T>& c) {
    if (dense) {
      isa::gemm<T>(ta, tb, q.m, q.n, q.k, a.data(), a.ld, b.data(), b.ld, c.data(), c.ld, e);
    } else if (forward) {
      isa::masked_forward<T>(q.m, q.n, q.k, a.data(), a.ld, b.data(), b.ld, mask, c.data(), c.ld, e);
    } else if (grad_input) {
      isa::masked_grad_input<T>(q.m, q.k, q.n, a.data(), a.ld, b.data(), b.ld, mask, c.data(), c.ld, e);
    } else {
      isa::masked_grad_weight<T>(q.k, q.m, q.n, a.data(), a.ld, b.data(), b.ld, mask, c.data(), c.ld, e);
    }
  };
  Matrix<T> c = before;
  if (!q.accumulate) {
    for (int64_t m = 0; m < q.m; ++m) {
      for (int64_t n = 0; n < q.n; ++n) c.at(m, n) = Matrix<T>::poison();
    }
  }
  Matrix<T> c2 = c;
  flow::set_thread_count(1);
  run(c);
  flow::set_thread_count(2);
  run(c2);

  const Real eps = std::numeric_limits<T>::epsilon();
  const char* what = nullptr;
  Real worst = 0;
  if (std::memcmp(c.block.data(), c2.block.data(), c.block.size() * sizeof(T)) != 0) what = "2 threads differ";
  if (!c.guards_whole()) what = "written outside";
  for (int64_t m = 0; m < q.m && !what; ++m) {
    for (int64_t n = 0; n < q.n && !what; ++n) {
      Real z = q.accumulate ? before.at(m, n) : 0, size = fabsl(z);
      for (int64_t k = 0; k < q.k; ++k) {
        if (!seen(m, n, k)) continue;
        const Real x = ta == Trans::no ? a.at(m, k) : a.at(k, m), w = tb == Trans::no ? b.at(k, n) : b.at(n, k);
        z += x * w;
        size += fabsl(x * w);
      }
      if (q.bias) z += bias.at(0, n), size += fabsl(static_cast<Real>(bias.at(0, n)));
      Real y = activation(q.act, z, 0.75);
      if (q.gate) y *= factor(q.gate_act, gate.at(m, n), 0.25);
      const Real got = c.at(m, n);
      if (grad_weight && !seen(m, n, 0)) {
        if (got != 0) what = "not zero outside of the mask";
        continue;
      }
      const Real bound = (static_cast<Real>(q.k) + 8) * eps * size * (q.gate ? 2 : 1) + 8 * eps * (1 + fabsl(y));
      const Real off = fabsl(got - y) / bound;
      if (!(off <= 1)) what = "wrong value", worst = off;
    }
  }
  if (what) {
    ++failures;
    if (failures < 40) {
      printf("FAIL %s %s ta=%d tb=%d m=%ld n=%ld k=%ld act=%d bias=%d gate=%d/%d acc=%d stair=%d: %s (%.3Lg)\n",
             sizeof(T) == 4 ? "f32" : "f64", q.form, static_cast<int>(ta), static_cast<int>(tb),
             static_cast<long>(q.m), static_cast<long>(q.n), static_cast<long>(q.k), static_cast<int>(q.act),
             q.bias, q.gate, static_cast<int>(q.gate_act), q.accumulate, q.staircase, what, worst);
    }
  }
}

/** The same number again and again rounds to one side: a plain loop in float is off by 1e-4 here. */
void check_long_sum() {
  ++cases;
  const int64_t rows = 200000;
  std::vector<float> a(static_cast<size_t>(rows), 0.1f);
  float sum = 0;
  isa::column_sums<float>(rows, 1, a.data(), 1, &sum, false);
  const double exact = static_cast<double>(0.1f) * static_cast<double>(rows);
  if (!(std::fabs(sum - exact) <= 257 * 0x1p-24 * exact)) ++failures, printf("FAIL long column: %.9g\n", static_cast<double>(sum));
}

template <class T>
void check_sums(int64_t rows, int64_t cols, bool accumulate, uint64_t seed) {
  ++cases;
  Random random(seed);
  Matrix<T> a(rows, cols, cols + 3), sum(1, cols, cols + 1);
  a.fill(random), sum.fill(random);
  Matrix<T> before = sum, second = sum;
  flow::set_thread_count(1);
  isa::column_sums<T>(rows, cols, a.data(), a.ld, sum.data(), accumulate);
  flow::set_thread_count(2);
  isa::column_sums<T>(rows, cols, a.data(), a.ld, second.data(), accumulate);
  bool good = sum.guards_whole() && !std::memcmp(sum.data(), second.data(), static_cast<size_t>(cols) * sizeof(T));
  for (int64_t n = 0; n < cols; ++n) {
    Real total = accumulate ? before.at(0, n) : 0, size = fabsl(total);
    for (int64_t r = 0; r < rows; ++r) total += a.at(r, n), size += fabsl(static_cast<Real>(a.at(r, n)));
    // At most 256 roundings in T on the way to an element, whatever the number of rows.
    if (!(fabsl(total - sum.at(0, n)) <= 257 * std::numeric_limits<T>::epsilon() * size)) good = false;
  }
  if (!good) ++failures, printf("FAIL column_sums %ld × %ld\n", static_cast<long>(rows), static_cast<long>(cols));
}

/** NaN comes through a ReLU, and inf·0 of a ReLU gate is 0: both are asked for in gemm.h. */
template <class T>
void check_special() {
  ++cases;
  const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
  std::vector<T> x = {nan, inf, -inf, T(-2)}, one(67, T(1)), y(4 * 67), gate(4 * 67, T(0));
  Epilogue<T> relu;
  relu.act = Activation::relu;
  isa::gemm<T>(Trans::no, Trans::no, 4, 67, 1, x.data(), 1, one.data(), 67, y.data(), 67, relu);
  Epilogue<T> gated;
  gated.gate = gate.data(), gated.gate_ld = 67, gated.gate_act = Activation::relu;
  std::vector<T> z(4 * 67);
  isa::gemm<T>(Trans::no, Trans::no, 4, 67, 1, x.data(), 1, one.data(), 67, z.data(), 67, gated);
  bool good = true;
  for (size_t n = 0; n < 67; ++n) {
    good = good && std::isnan(y[n]) && y[67 + n] == inf && y[134 + n] == 0 && y[201 + n] == 0;
    for (size_t m = 0; m < 4; ++m) good = good && z[m * 67 + n] == 0;
  }
  if (!good) ++failures, printf("FAIL NaN and inf through ReLU\n");
}

template <class T>
void all() {
  check_special<T>();
  const int64_t w = isa::Vec<T>::width;
  const int64_t sizes[] = {1, 2, w - 1, w, w + 1, 2 * w - 1, 2 * w, 2 * w + 1, 12, 13, 27, 129};
  uint64_t seed = 1;
  Random random(7);
  const char* forms[] = {"dense", "forward", "grad_input", "grad_weight"};
  const auto flip = [&] { return random.below(2) == 1; };
  for (int64_t m : sizes) {
    for (int64_t n : sizes) {
      for (int64_t k : sizes) {
        for (int form = 0; form < 7; ++form) {
          Case q{forms[form < 4 ? 0 : form - 3], form & 1 ? Trans::yes : Trans::no, form & 2 ? Trans::yes : Trans::no,
                 m, n, k, static_cast<Activation>(random.below(8)), static_cast<Activation>(random.below(8)),
                 flip(), flip(), flip(), static_cast<int>(random.below(4))};
          if (m * n * k > 100000 && random.below(4) != 0) continue;
          check<T>(q, seed++);
        }
      }
    }
  }
  // Every activation and every gate, alone and together, at sizes that cut K and have several panels.
  for (int act = 0; act < 8; ++act) {
    for (int gate = -1; gate < 8; ++gate) {
      for (int form = 0; form < 4; ++form) {
        check<T>({forms[form], Trans::no, Trans::yes, 37, 70, 300, static_cast<Activation>(act),
                  static_cast<Activation>(gate < 0 ? 0 : gate), flip(), gate >= 0, flip(), 0}, seed++);
      }
    }
  }
  // Blocks of rows, groups of panels, split K, several blocks of K (packed, in place, the one after the other), empty sums, tasks of uneven length.
  const int64_t large[][3] = {{1000, 40, 70}, {770, 131, 33}, {3, 700, 900}, {27, 128, 5000}, {128, 12, 2049}, {1, 1, 4096}, {70, 50, 300}, {300, 260, 1030}, {140, 96, 1100},
                              {257, 65, 1100}, {900, 300, 520}, {20, 20, 0}, {1, 513, 1}, {800, 1, 1}};
  for (const auto& s : large) {
    for (int form = 0; form < 7; ++form) {
      if (sizeof(T) == 8 && s[0] * s[1] * s[2] > 100000000) continue;
      check<T>({forms[form < 4 ? 0 : form - 3], form & 1 ? Trans::yes : Trans::no, form & 2 ? Trans::yes : Trans::no,
                s[0], s[1], s[2], flip() ? Activation::relu : Activation::none, Activation::relu, flip(), flip(),
                flip(), static_cast<int>(random.below(2))}, seed++);
    }
  }
  for (int64_t rows : {0, 1, 255, 256, 257, 5000}) {
    for (int64_t cols : sizes) check_sums<T>(rows, cols, flip(), seed++);
    check_sums<T>(rows, 4 * w, false, seed++);
    check_sums<T>(rows, 300, true, seed++);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && !strcmp(argv[1], "--quick")) every = 20;
  all<float>();
  all<double>();
  check_long_sum();
  printf("gemm_test %s: %ld cases, %d failures\n", test::isa_name(), cases, failures);
  return failures != 0;
}
