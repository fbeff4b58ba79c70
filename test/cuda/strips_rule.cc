// Prints where the rule of cuda/core/strips.h cuts staircases: a line of JSON for each product of each layer that the arguments name,
//   processors capability tf32 float64 rows units inputs staircase(even, ragged or mixed)
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cuda/core/strips.cc"

namespace flow::cuda {
namespace {
int processors = 0;
std::vector<int32_t> extents;
bool tf32 = false;
}  // namespace
int multiprocessors() { return processors; }
Blas* current_blas() { return nullptr; }
bool allows_tf32(const Blas*) { return tf32; }
const int32_t* written_by_host(const Operand&) { return extents.data(); }
}  // namespace flow::cuda

int main(int count, char** arguments) {
  using namespace flow;
  using namespace flow::cuda;
  for (char** own = arguments + 1; own + 8 <= arguments + count; own += 8) {
    processors = std::atoi(own[0]);
    set_strips_device(std::atoi(own[1]) / 10, std::atoi(own[1]) % 10);
    tf32 = std::atoi(own[2]) != 0;
    const DType dtype = std::atoi(own[3]) ? DType::f64 : DType::f32;
    const int64_t rows = std::atoll(own[4]), units = std::atoll(own[5]), inputs = std::atoll(own[6]);
    extents.assign(static_cast<size_t>(units), 0);
    unsigned state = 1;
    for (int64_t o = 0; o < units; ++o) {
      int32_t& extent = extents[static_cast<size_t>(o)];
      extent = static_cast<int32_t>((o + 1) * inputs / units);
      // As units sorted by a few degrees see inputs of a few degrees.
      if (std::strcmp(own[7], "ragged") == 0) extent = extent / 37 * 37;
      if (std::strcmp(own[7], "mixed") == 0) extent = static_cast<int32_t>((state = state * 1664525u + 1013904223u) >> 8) % (inputs + 1);
    }
    for (const StripsOf which : {StripsOf::forward, StripsOf::grad_input, StripsOf::grad_weight}) {
      const Strips strips = plan_strips(which, {}, rows, units, inputs, dtype, true);
      // What is seen, once and no more; and how much is computed.
      int64_t missed = 0, twice = 0, area = 0, seen = 0;
      for (int64_t o = 0; o < units; ++o) {
        std::vector<int> times(static_cast<size_t>(inputs) + 1);
        for (int s = 0; s < strips.count; ++s) {
          const Strip& strip = strips.strip[s];
          if (o < strip.u0 || o >= strip.u1) continue;
          ++times[static_cast<size_t>(strip.i0)], --times[static_cast<size_t>(strip.i1)];
          area += strip.i1 - strip.i0;
        }
        int now = 0;
        for (int64_t i = 0; i < inputs; ++i) {
          now += times[static_cast<size_t>(i)];
          twice += now > 1;
          missed += now == 0 && i < extents[static_cast<size_t>(o)];
        }
        seen += extents[static_cast<size_t>(o)];
      }
      std::printf("{\"count\":%d,\"missed\":%lld,\"twice\":%lld,\"over\":%.3f}\n", strips.count, static_cast<long long>(missed),
                  static_cast<long long>(twice), static_cast<double>(area) / static_cast<double>(seen));
    }
  }
}
