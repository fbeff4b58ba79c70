// The functions of native/simd/math.h against long double libm: the worst error in ulp over dense sweeps.
//
//   g++ -std=c++20 -Inative -O3 -ffp-contract=fast -fno-math-errno -Wall -Wextra -Werror -DFLOW_ISA=avx512
//       -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma test/native/math_test.cc -o math_test && ./math_test
//   also with -DFLOW_ISA=avx2 -mavx2 -mfma, and -DFLOW_ISA=sse2 -msse2   (one line each)
//
// An ulp is the spacing of T at the exact result, and of the subnormal numbers below them. Limits: 2 ulp for
// most functions. Each point is evaluated as Vec<T> and as T: both have to stand within the limit, and
// vectors of one argument must not depend on the lane. Edges are checked exactly.

#include "simd/math.h"

#include "simd/shuffle.h"
#include "support.h"

namespace isa = flow::FLOW_ISA;
using isa::Vec;
using Real = long double;

namespace {

int failures = 0;

template <class T>
Real ulp_of(Real exact) {
  int e = 0;
  frexpl(exact, &e);
  const int digits = std::numeric_limits<T>::digits, lowest = std::numeric_limits<T>::min_exponent;
  return ldexpl(1.0L, (exact == 0 || e < lowest ? lowest : e) - digits);
}

/** Distance in ulp; results beyond the largest number count as that number's neighbour. */
template <class T>
double distance(T got, Real exact) {
  if (std::isnan(got)) return 1e30;
  const Real top = std::numeric_limits<T>::max();
  if (fabsl(exact) > top) {
    if (std::isinf(got) && (got > 0) == (exact > 0)) return 0;
    exact = exact > 0 ? top : -top;
  }
  if (std::isinf(got)) {
    // Overflow is right from half an ulp above the largest number on.
    return static_cast<double>((top - fabsl(exact)) / ulp_of<T>(top)) + 1;
  }
  return static_cast<double>(fabsl(static_cast<Real>(got) - exact) / ulp_of<T>(exact));
}

template <class V>
V sine(V u) {
  V s, c;
  isa::sincos_2pi(u, s, c);
  return s;
}
template <class V>
V cosine(V u) {
  V s, c;
  isa::sincos_2pi(u, s, c);
  return c;
}

#define FLOW_FUNCTION(name, expression)             \
  struct name {                                     \
    static constexpr const char* text = #name;      \
    template <class V>                              \
    static V call(V x) {                            \
      return expression;                            \
    }                                               \
    static Real exact(Real x);                      \
  };
FLOW_FUNCTION(exp_, isa::exp(x))
FLOW_FUNCTION(expm1_, isa::expm1(x))
FLOW_FUNCTION(log_, isa::log(x))
FLOW_FUNCTION(log1p_, isa::log1p(x))
FLOW_FUNCTION(tanh_, isa::tanh(x))
FLOW_FUNCTION(sigmoid_, isa::sigmoid(x))
FLOW_FUNCTION(softplus_, isa::softplus(x))
FLOW_FUNCTION(log_sigmoid_, isa::log_sigmoid(x))
FLOW_FUNCTION(erf_, isa::erf(x))
FLOW_FUNCTION(asinh_, isa::asinh(x))
FLOW_FUNCTION(normal_cdf_, isa::normal_cdf(x))
template <class V>
V inverse_part(V e) {
  V inverse, log;
  isa::logistic_parts(e, inverse, log);
  return inverse;
}
template <class V>
V log_part(V e) {
  V inverse, log;
  isa::logistic_parts(e, inverse, log);
  return log;
}
FLOW_FUNCTION(logistic_inverse, inverse_part(x))
FLOW_FUNCTION(logistic_log, log_part(x))
FLOW_FUNCTION(atan_, isa::atan(x))
FLOW_FUNCTION(sin_2pi, sine(x))
FLOW_FUNCTION(cos_2pi, cosine(x))
Real exp_::exact(Real x) { return expl(x); }
Real expm1_::exact(Real x) { return expm1l(x); }
Real log_::exact(Real x) { return logl(x); }
Real log1p_::exact(Real x) { return log1pl(x); }
Real logistic_inverse::exact(Real e) { return 1 / (1 + e); }
Real logistic_log::exact(Real e) { return log1pl(e); }
Real atan_::exact(Real x) { return atanl(x); }
Real tanh_::exact(Real x) { return tanhl(x); }
Real sigmoid_::exact(Real x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }
Real softplus_::exact(Real x) { return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x))); }
Real log_sigmoid_::exact(Real x) { return -softplus_::exact(-x); }
Real erf_::exact(Real x) { return erfl(x); }
Real asinh_::exact(Real x) { return asinhl(x); }
Real normal_cdf_::exact(Real x) { return erfcl(-x / sqrtl(2)) / 2; }
// The reduction is exact in long double: u is a double, and u − nearest quarter has no more bits.
Real sin_2pi::exact(Real u) {
  const Real q = rintl(4 * u), r = 2 * 3.14159265358979323846264338327950288L * (u - q / 4);
  const int k = static_cast<int>(static_cast<int64_t>(q) & 3);
  return k == 0 ? sinl(r) : k == 1 ? cosl(r) : k == 2 ? -sinl(r) : -cosl(r);
}
Real cos_2pi::exact(Real u) {
  const Real q = rintl(4 * u), r = 2 * 3.14159265358979323846264338327950288L * (u - q / 4);
  const int k = static_cast<int>(static_cast<int64_t>(q) & 3);
  return k == 0 ? cosl(r) : k == 1 ? -sinl(r) : k == 2 ? -cosl(r) : sinl(r);
}

template <class T>
struct Worst {
  double vector = 0, scalar = 0;
  T at = 0;
};

template <class F, class T>
void point(const T* x, Worst<T>& worst) {
  using V = Vec<T>;
  T y[V::width];
  isa::store(y, F::call(isa::load<V>(x)));
  for (int i = 0; i < V::width; ++i) {
    const Real exact = F::exact(x[i]);
    const double v = distance<T>(y[i], exact);
    const double s = distance<T>(F::call(x[i]), exact);
    if (v > worst.vector) worst.vector = v, worst.at = x[i];
    worst.scalar = std::fmax(worst.scalar, s);
  }
}

/** `count` points in [low, high], spread evenly and by magnitude. */
template <class F, class T>
void sweep(T low, T high, double limit, int64_t count = 400000) {
  using V = Vec<T>;
  Worst<T> worst;
  test::Random random(11);
  T x[V::width];
  for (int64_t n = 0; n < count; n += V::width) {
    for (int i = 0; i < V::width; ++i) {
      T value = low + (high - low) * static_cast<T>((static_cast<double>(n + i) + random.uniform()) / static_cast<double>(count));
      if (n & V::width) {
        // By magnitude: from the ends down to the smallest subnormal numbers.
        const double lowest = std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits;
        const T sign = random.below(2) ? T(1) : T(-1);
        const double top = std::log2(static_cast<double>(sign > 0 ? high : -low));
        if (std::isfinite(top)) value = sign * static_cast<T>(std::exp2(lowest + (top - lowest) * random.uniform()));
      }
      x[i] = value < low ? low : value > high ? high : value;
    }
    point<F>(x, worst);
  }
  const bool good = worst.vector <= limit && worst.scalar <= limit;
  if (!good) ++failures;
  printf("%s %-12s [%11.4g, %11.4g]  vector %.3f  scalar %.3f ulp  at %.9g%s\n", sizeof(T) == 4 ? "f32" : "f64",
         F::text, static_cast<double>(low), static_cast<double>(high), worst.vector, worst.scalar,
         static_cast<double>(worst.at), good ? "" : "  FAIL");
}

template <class F, class T>
void edge(T x, T expected) {
  using V = Vec<T>;
  T y[V::width];
  isa::store(y, F::call(V(x)));
  const auto same = [&](T got) {
    if (std::isnan(expected)) return std::isnan(got);
    return got == expected && std::signbit(got) == std::signbit(expected);
  };
  bool good = same(F::call(x));
  for (int i = 0; i < V::width; ++i) good = good && same(y[i]);
  if (!good) {
    ++failures;
    printf("FAIL %s %s(%g): expected %g, got %g, scalar %g\n", sizeof(T) == 4 ? "f32" : "f64", F::text,
           static_cast<double>(x), static_cast<double>(expected), static_cast<double>(y[0]),
           static_cast<double>(F::call(x)));
  }
}

void expect(bool good, const char* what) {
  if (!good) ++failures, printf("FAIL %s\n", what);
}

/** Loads, stores, shuffles and conversions, on lanes that are all different. */
template <class T>
void registers() {
  using V = Vec<T>;
  constexpr int w = V::width;
  T from[4 * w], to[4 * w];
  for (int i = 0; i < 4 * w; ++i) from[i] = static_cast<T>(i + 1);
  for (int n = 0; n <= w; ++n) {
    isa::store(to, isa::load_partial<V>(from + 1, n));
    for (int i = 0; i < w; ++i) expect(to[i] == (i < n ? from[i + 1] : T(0)), "load_partial");
    for (T& t : to) t = T(-7);
    isa::store_partial(to + 1, isa::load<V>(from), n);
    for (int i = 0; i < w + 2; ++i) expect(to[i] == (i >= 1 && i <= n ? from[i - 1] : T(-7)), "store_partial");
  }
  V square[w];
  T grid[w * w];
  for (int i = 0; i < w * w; ++i) grid[i] = static_cast<T>(i);
  for (int i = 0; i < w; ++i) square[i] = isa::load<V>(grid + i * w);
  isa::transpose(square);
  for (int i = 0; i < w; ++i) {
    isa::store(to, square[i]);
    for (int j = 0; j < w; ++j) expect(to[j] == grid[j * w + i], "transpose");
  }
  V even, odd;
  isa::load_pairs(from, even, odd);
  isa::store(to, even), isa::store(to + w, odd);
  for (int i = 0; i < w; ++i) expect(to[i] == from[2 * i] && to[w + i] == from[2 * i + 1], "load_pairs");
  isa::store_pairs(to, even, odd);
  for (int i = 0; i < 2 * w; ++i) expect(to[i] == from[i], "store_pairs");
  expect(isa::horizontal_sum(isa::load<V>(from)) == static_cast<T>(w * (w + 1) / 2), "horizontal_sum");
  const T nan = std::numeric_limits<T>::quiet_NaN();
  isa::store(to, isa::max(V(T(0)), V(nan)));
  expect(std::isnan(to[w - 1]), "max(0, NaN)");
  isa::store(to, isa::max(V(nan), V(T(3))));
  expect(to[0] == 3, "max(NaN, 3)");
  const T halves[] = {T(-2.5), T(-1.5), T(-0.5), T(0.5), T(1.5), T(2.5), T(0.3), T(-0.0), T(8388609), T(-1e30)};
  for (T x : halves) {
    isa::store(to, isa::round(V(x)));
    expect(to[0] == std::nearbyint(x) && std::signbit(to[0]) == std::signbit(x) && isa::round(x) == to[0], "round");
    isa::store(to, isa::floor(V(x)));
    expect(to[0] == std::floor(x) && isa::floor(x) == to[0], "floor");
  }
}

void conversions() {
  constexpr int w = Vec<float>::width;
  float from[w], to[w];
  double wide[w];
  for (int i = 0; i < w; ++i) from[i] = 1.1f * static_cast<float>(i + 1);
  Vec<double> low, high;
  isa::widen(isa::load<Vec<float>>(from), low, high);
  isa::store(wide, low), isa::store(wide + w / 2, high);
  for (int i = 0; i < w; ++i) expect(wide[i] == from[i], "widen");
  isa::store(to, isa::narrow(low, high));
  for (int i = 0; i < w; ++i) expect(to[i] == from[i], "narrow");
  isa::store(wide, isa::load_widened(from + 1 * (w / 2)));
  for (int i = 0; i < w / 2; ++i) expect(wide[i] == from[w / 2 + i], "load_widened");
}

template <class T>
void functions() {
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const T tiny = std::numeric_limits<T>::denorm_min(), top = std::numeric_limits<T>::max();
  const bool single = sizeof(T) == 4;
  const T overflow = single ? T(88.7) : T(709.7), underflow = single ? T(-104) : T(-745.2);
  sweep<exp_, T>(underflow, overflow, 2);
  sweep<exp_, T>(-1, 1, 2);
  sweep<expm1_, T>(-40, overflow, 2);
  sweep<expm1_, T>(-2, 2, 2);
  sweep<log_, T>(tiny, top, 2);
  sweep<log_, T>(T(0.4), T(2.5), 2);
  sweep<log1p_, T>(T(-0.99999), top, 2);
  sweep<log1p_, T>(T(-0.9), T(3), 2);
  sweep<tanh_, T>(-25, 25, 2);
  sweep<tanh_, T>(-1, 1, 2);
  sweep<sigmoid_, T>(underflow, 50, 2);
  sweep<sigmoid_, T>(-5, 5, 2);
  sweep<softplus_, T>(underflow, 100, 2);
  sweep<softplus_, T>(-5, 5, 2);
  sweep<log_sigmoid_, T>(-100, -underflow, 2);
  sweep<log_sigmoid_, T>(-5, 5, 2);
  sweep<erf_, T>(-7, 7, 2);
  sweep<erf_, T>(T(0.9), T(1.1), 2);
  sweep<asinh_, T>(-top, top, 2);
  sweep<asinh_, T>(-3, 3, 2);
  sweep<normal_cdf_, T>(single ? T(-12.5) : T(-37), 10, 8);
  sweep<normal_cdf_, T>(-3, 3, 8);
  sweep<logistic_inverse, T>(0, 1, 3);
  sweep<logistic_log, T>(std::numeric_limits<T>::min(), 1, 4);
  sweep<atan_, T>(-top, top, 2);
  sweep<atan_, T>(-3, 3, 2);
  sweep<atan_, T>(T(0.49), T(0.51), 2);
  sweep<sin_2pi, T>(0, 1, 2);
  sweep<cos_2pi, T>(0, 1, 2);
  sweep<sin_2pi, T>(-300, 300, 2);
  sweep<cos_2pi, T>(-300, 300, 2);

  edge<exp_, T>(inf, inf), edge<exp_, T>(-inf, 0), edge<exp_, T>(nan, nan), edge<exp_, T>(T(-0.0), 1);
  edge<exp_, T>(top, inf), edge<exp_, T>(-top, 0), edge<exp_, T>(0, 1);
  edge<expm1_, T>(inf, inf), edge<expm1_, T>(-inf, -1), edge<expm1_, T>(nan, nan), edge<expm1_, T>(T(-0.0), T(-0.0));
  edge<expm1_, T>(0, 0), edge<expm1_, T>(tiny, tiny), edge<expm1_, T>(top, inf), edge<expm1_, T>(-top, -1);
  edge<log_, T>(0, -inf), edge<log_, T>(T(-0.0), -inf), edge<log_, T>(inf, inf), edge<log_, T>(-1, nan);
  edge<log_, T>(nan, nan), edge<log_, T>(1, 0), edge<log_, T>(-inf, nan), edge<log_, T>(-tiny, nan);
  edge<log1p_, T>(-1, -inf), edge<log1p_, T>(inf, inf), edge<log1p_, T>(-2, nan), edge<log1p_, T>(nan, nan);
  edge<log1p_, T>(T(-0.0), T(-0.0)), edge<log1p_, T>(0, 0), edge<log1p_, T>(tiny, tiny), edge<log1p_, T>(-tiny, -tiny);
  edge<tanh_, T>(inf, 1), edge<tanh_, T>(-inf, -1), edge<tanh_, T>(nan, nan), edge<tanh_, T>(T(-0.0), T(-0.0));
  edge<tanh_, T>(top, 1), edge<tanh_, T>(tiny, tiny), edge<tanh_, T>(-tiny, -tiny), edge<tanh_, T>(0, 0);
  edge<sigmoid_, T>(inf, 1), edge<sigmoid_, T>(-inf, 0), edge<sigmoid_, T>(nan, nan), edge<sigmoid_, T>(0, T(0.5));
  edge<softplus_, T>(inf, inf), edge<softplus_, T>(-inf, 0), edge<softplus_, T>(nan, nan);
  edge<softplus_, T>(top, top);
  edge<log_sigmoid_, T>(inf, T(-0.0)), edge<log_sigmoid_, T>(-inf, -inf), edge<log_sigmoid_, T>(nan, nan);
  edge<erf_, T>(inf, 1), edge<erf_, T>(-inf, -1), edge<erf_, T>(nan, nan), edge<erf_, T>(T(-0.0), T(-0.0));
  edge<erf_, T>(top, 1), edge<erf_, T>(0, 0);
  edge<logistic_inverse, T>(0, 1), edge<logistic_log, T>(0, 0), edge<logistic_log, T>(nan, nan);
  edge<asinh_, T>(inf, inf), edge<asinh_, T>(-inf, -inf), edge<asinh_, T>(nan, nan), edge<asinh_, T>(T(-0.0), T(-0.0));
  edge<normal_cdf_, T>(inf, 1), edge<normal_cdf_, T>(-inf, 0), edge<normal_cdf_, T>(nan, nan);
  edge<normal_cdf_, T>(0, T(0.5)), edge<normal_cdf_, T>(top, 1), edge<normal_cdf_, T>(-top, 0);
  edge<atan_, T>(inf, T(1.57079632679489661923L)), edge<atan_, T>(-inf, T(-1.57079632679489661923L));
  edge<atan_, T>(nan, nan), edge<atan_, T>(T(-0.0), T(-0.0)), edge<atan_, T>(0, 0), edge<atan_, T>(tiny, tiny);
  edge<sin_2pi, T>(0, 0), edge<cos_2pi, T>(0, 1), edge<cos_2pi, T>(T(0.5), -1), edge<sin_2pi, T>(T(0.25), 1);
  edge<sin_2pi, T>(T(0.75), -1), edge<sin_2pi, T>(nan, nan), edge<cos_2pi, T>(nan, nan);
  // normal_quantile: some eps of 1 or of x, there and back in the tail.
  for (T x = single ? T(-12) : T(-37); x < 4; x += T(1) / 64) {
    T y[Vec<T>::width];
    isa::store(y, isa::normal_quantile(Vec<T>(static_cast<T>(normal_cdf_::exact(x)))));
    // p is rounded: x moves by eps·p/φ(x), at most eps·√(2π)·exp(x²/2) above 0.
    const Real slope = x < 0 ? Real(1.3) : sqrtl(2 * 3.14159265358979323846L) * expl(static_cast<Real>(x) * x / 2);
    expect(fabsl(x - y[0]) <= std::numeric_limits<T>::epsilon() * (8 + 4 * fabsl(static_cast<Real>(x)) + slope), "normal_quantile");
  }
  {
    T y[4][Vec<T>::width];
    const T at[] = {0, 1, T(-0.1), T(1.1)};
    for (int i = 0; i < 4; ++i) isa::store(y[i], isa::normal_quantile(Vec<T>(at[i])));
    expect(y[0][0] == -inf && y[1][0] == inf && y[2][0] != y[2][0] && y[3][0] != y[3][0], "normal_quantile edges");
  }
  // gelu is accurate in absolute terms only: eps·|x| and one rounding.
  for (T x = -8; x < 8; x += T(1) / 512) {
    T y[Vec<T>::width];
    isa::store(y, isa::gelu(Vec<T>(x)));
    const Real exact = static_cast<Real>(x) * erfcl(-static_cast<Real>(x) / sqrtl(2)) / 2;
    expect(fabsl(exact - y[0]) <= 2 * std::numeric_limits<T>::epsilon() * fabsl(static_cast<Real>(x)), "gelu");
  }
}

}  // namespace

int main() {
  registers<float>();
  registers<double>();
  conversions();
  functions<float>();
  functions<double>();
  printf("math_test %s: %d failures\n", test::isa_name(), failures);
  return failures != 0;
}
