// Where a staircase is cut into strips, by the count of core/strips.h. On the host.
#include "cuda/core/strips.h"

#include <algorithm>
#include <cmath>

#include "cuda/core/blas.h"
#include "cuda/core/context.h"
#include "cuda/core/launch.h"

namespace flow::cuda {
namespace {

thread_local int wanted = -1;
thread_local int compute = 80;

/** Multiply-adds of a layer from which on its strips are counted at all. */
constexpr int64_t least_work = int64_t{1} << 26;
/** In multiply-adds of a multiprocessor by our tiles. */
constexpr double launch_cost = 1 << 17, byte_cost = 4;
constexpr double own_side = 64, blas_side = 128;

/** How much more cuBLAS multiplies in the same time than our tiles do. */
double gain_of(DType dtype) {
  const bool data_center = compute == 80 || compute == 90 || compute == 100 || compute == 103;
  if (dtype == DType::f64) return data_center && compute != 103 ? 3 : 1;
  return allows_tf32(current_blas()) && data_center ? 8 : 2;
}

/** Tiles of `side`², `depth` deep altogether and `deepest` at most, of which half a wave is waited for; long depths are cut into parts. */
double product_cost(double tiles, double side, double depth, double deepest) {
  const double processors = multiprocessors();
  const double parts = std::clamp(std::min(2 * processors / std::max(1.0, tiles), deepest / 512), 1.0, 64.0);
  return (depth + processors / (2 * parts) * deepest) * side * side / processors;
}

double tiles_of(double size, double side) { return std::ceil(size / side); }

/** A staircase cut into granules along one side: what each of them needs of the other side. */
struct Stairs {
  StripsOf which;
  int64_t rows, units, inputs, size, granule;
  int count;
  int begin[most_strips], end[most_strips];

  int64_t edge(int g) const { return std::min(g * granule, size); }
  /** Granules b … e − 1 as one strip. */
  Strip strip(int b, int e) const {
    int first = begin[b], last = end[b];
    for (int g = b; g < e; ++g) first = std::min(first, begin[g]), last = std::max(last, end[g]);
    const int from = static_cast<int>(edge(b)), to = static_cast<int>(edge(e));
    if (which == StripsOf::grad_input) return {first, last, from, to};
    return {from, to, 0, last};
  }
  double blas_cost(const Strip& own, double gain) const {
    const double u = own.u1 - own.u0, i = own.i1 - own.i0, r = static_cast<double>(rows);
    const double m = which == StripsOf::grad_weight ? u : r, n = which == StripsOf::forward ? u : i;
    const double k = which == StripsOf::grad_weight ? r : which == StripsOf::forward ? i : u;
    const double tiles = tiles_of(m, blas_side) * tiles_of(n, blas_side);
    return product_cost(tiles, blas_side, tiles * k, k) / gain + launch_cost;
  }
  double own_cost() const {
    double tiles = 0, depth = 0, deepest = 0;
    for (int g = 0; g < count; ++g) {
      const double across = tiles_of(static_cast<double>(edge(g + 1) - edge(g)), own_side), need = end[g] - begin[g];
      // By the weight: the depth is that of the rows, and the need says how many tiles there are.
      const bool by_weight = which == StripsOf::grad_weight;
      const double down = tiles_of(by_weight ? need : static_cast<double>(rows), own_side);
      const double each = by_weight ? static_cast<double>(rows) : need;
      tiles += across * down;
      depth += across * down * each;
      deepest = std::max(deepest, each);
    }
    return product_cost(tiles, own_side, depth, deepest) + launch_cost;
  }
};

/** Begins and ends for granules of a size. */
Stairs stairs_of(StripsOf which, const int32_t* extents, int64_t rows, int64_t units, int64_t inputs, int64_t granule) {
  Stairs own{};
  own.which = which;
  own.rows = rows, own.units = units, own.inputs = inputs, own.granule = granule;
  own.size = which == StripsOf::grad_input ? inputs : units;
  own.count = static_cast<int>(ceil_div(own.size, granule));
  const bool by_inputs = which == StripsOf::grad_input;
  for (int g = 0; g < own.count; ++g) own.begin[g] = by_inputs ? static_cast<int>(units) : 0;
  for (int64_t o = 0; o < units; ++o) {
    const int extent = static_cast<int>(std::clamp<int64_t>(extents[o], 0, inputs)), unit = static_cast<int>(o);
    if (!by_inputs) {
      int& end = own.end[o / granule];
      end = std::max(end, extent);
    } else if (extent > 0) {
      // Of the last granule that it sees; those before follow below.
      const int64_t g = (extent - 1) / granule;
      own.begin[g] = std::min(own.begin[g], unit);
      own.end[g] = std::max(own.end[g], unit + 1);
    }
  }
  if (by_inputs) {
    for (int g = own.count - 2; g >= 0; --g) {
      own.begin[g] = std::min(own.begin[g], own.begin[g + 1]);
      own.end[g] = std::max(own.end[g], own.end[g + 1]);
    }
    for (int g = 0; g < own.count; ++g) own.begin[g] = std::min(own.begin[g], own.end[g]);
    // All units: what later extents of theirs would add shows, where they are not the ones that the strips were made for.
    own.begin[0] = 0, own.end[0] = static_cast<int>(units);
  } else {
    for (int g = 0; g < own.count; ++g) own.end[g] = std::max(own.end[g], 1);
  }
  return own;
}

/** Cuts where the sum of the strips costs least; that sum. */
double cut(const Stairs& stairs, double gain, Strips& strips) {
  double best[most_strips + 1] = {0};
  int from[most_strips + 1] = {0};
  for (int e = 1; e <= stairs.count; ++e) {
    best[e] = INFINITY;
    for (int b = 0; b < e; ++b) {
      const double cost = best[b] + stairs.blas_cost(stairs.strip(b, e), gain);
      if (cost < best[e]) best[e] = cost, from[e] = b;
    }
  }
  int ends[most_strips];
  for (int e = stairs.count; e > 0; e = from[e]) ends[strips.count++] = e;
  std::reverse(ends, ends + strips.count);
  for (int s = 0, b = 0; s < strips.count; b = ends[s++]) strips.strip[s] = stairs.strip(b, ends[s]);
  return best[stairs.count];
}

}  // namespace

void set_strips(int count) { wanted = std::clamp(count, -1, most_strips); }
int strips_set() { return wanted; }
void set_strips_device(int major, int minor) { compute = 10 * major + minor; }

bool may_be_strips(int64_t rows, int64_t units, int64_t inputs) {
  return wanted > 0 || (wanted < 0 && rows * units * inputs >= least_work);
}

Strips plan_strips(StripsOf which, const Operand& extents, int64_t rows, int64_t units, int64_t inputs, DType dtype, bool finished) {
  if (!may_be_strips(rows, units, inputs) || rows <= 0 || units <= 0 || inputs <= 0 || units > INT32_MAX || inputs > INT32_MAX) return {};
  const double gain = gain_of(dtype);
  if (wanted < 0 && gain <= 1) return {};
  const int32_t* values = written_by_host(extents);
  if (!values) return {};
  const int64_t size = which == StripsOf::grad_input ? inputs : units;
  Strips strips;
  if (wanted > 0) {
    const Stairs even = stairs_of(which, values, rows, units, inputs, ceil_div(size, wanted));
    for (int g = 0; g < even.count; ++g) strips.strip[strips.count++] = even.strip(g, g + 1);
    return strips;
  }
  const int64_t granule = static_cast<int64_t>(own_side) * ceil_div(size, static_cast<int64_t>(own_side) * most_strips);
  const Stairs stairs = stairs_of(which, values, rows, units, inputs, granule);
  const double number = dtype == DType::f64 ? 8 : 4;
  const double to = which == StripsOf::forward ? static_cast<double>(units) : static_cast<double>(inputs);
  const double finish = launch_cost + 2 * static_cast<double>(rows) * to * number * byte_cost / multiprocessors();
  const double cost = cut(stairs, gain, strips) + launch_cost + (finished ? finish : 0);
  return cost < stairs.own_cost() ? strips : Strips{};
}

}  // namespace flow::cuda
