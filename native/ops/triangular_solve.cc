// triangular_solve: X of X·op(T) = B (right: rows of B) or op(T)·X = B (left: columns), T triangular, op the identity or
// the transpose. What T holds on the other side of its diagonal (and on it, with a unit diagonal) is not read.
// in: t, a stack of [n, n], b: for each of them [m, n] (right) or [n, m] (left); one t may serve a stack of b.
// out: x; attributes: left, lower, transpose, unit diagonal.
#include "ops/triangular.h"

#include "ops/linear.h"
#include "ops/triangular_operands.h"

namespace flow::FLOW_ISA {
namespace {

// Up to so many unknowns are solved in one go; more, in blocks of so many with products between them.
constexpr int64_t whole_unknowns = 256;
constexpr int64_t block_unknowns = 256;
constexpr int64_t rows_of_task = 192;  // of a blocked solve: their unknowns stay in the second-level cache

template <class T>
bool run(const Call& call, const TriangularForm& form) {
  const Operand &t = call.in[0], &b = call.in[1], &x = call.out[0];
  const int64_t n = form.n, matrices = form.t_step > 0 ? form.stacks : 1;
  const int64_t size = n <= whole_unknowns ? n : block_unknowns;  // of a diagonal block
  const int64_t blocks = ceil_div(n, size);
  const int64_t packed_size = PackedTriangle<T>::size(size);
  T* memory = static_cast<T*>(scratch(static_cast<size_t>(matrices * blocks * packed_size) * sizeof(T), 4));
  bool backward = false;
  // The packed form of a diagonal block; block 0 has the first columns.
  const auto packed = [&](int64_t matrix, int64_t block) {
    return PackedTriangle<T>(memory + (matrix * blocks + block) * packed_size, min_of(size, n - block * size));
  };
  const auto view = [&](int64_t matrix, int64_t block) {
    const T* from = t.as<T>() + (matrix * n + block * size) * t.ld + block * size;
    return triangle_view<T>(from, t.ld, min_of(size, n - block * size), form.lower, form.turned(), backward);
  };
  view(0, 0);
  bool divides = false;
  for (int64_t matrix = 0; matrix < matrices; ++matrix) {
    for (int64_t block = 0; block < blocks; ++block) {
      PackedTriangle<T> triangle = packed(matrix, block);
      if (form.unit) {
        triangle.set_unit_diagonal();
        continue;
      }
      const TriangleView<T> m = view(matrix, block);
      const int64_t zero = triangle.set_diagonal([&](int64_t j) { return m.base[j * (m.step_j + m.step_k)]; });
      if (zero >= 0) {
        const long long at = static_cast<long long>(block * size + (backward ? triangle.n - 1 - zero : zero));
        return call.fail("t: expected no zero on the diagonal, got 0 at [%lld, %lld] of matrix %lld: it is singular", at, at,
                         static_cast<long long>(matrix));
      }
      divides |= triangle.divides;
    }
  }
  if (divides) {
    // One form for all: the diagonal itself.
    for (int64_t matrix = 0; matrix < matrices; ++matrix)
      for (int64_t block = 0; block < blocks; ++block) {
        const TriangleView<T> m = view(matrix, block);
        PackedTriangle<T> triangle = packed(matrix, block);
        for (int64_t j = 0; j < triangle.n; ++j) triangle.diagonal[j] = m.base[j * (m.step_j + m.step_k)];
      }
  }
  const int64_t strips = ceil_div(size, triangle_units);
  parallel_rows(matrices * blocks * strips, size * triangle_units * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
    bool ignored = false;
    for (int64_t i = first; i < last; ++i) {
      const int64_t matrix = i / strips / blocks, block = i / strips % blocks, width = min_of(size, n - block * size);
      const T* from = t.as<T>() + (matrix * n + block * size) * t.ld + block * size;
      const PackedTriangle<T> triangle = packed(matrix, block);
      if (i % strips < triangle.block_count())
        triangle.pack_block(triangle_view<T>(from, t.ld, width, form.lower, form.turned(), ignored), i % strips);
    }
  });

  // A diagonal block of one stack, for the sides first … last − 1.
  const auto solve_block = [&](int64_t stack, int64_t block, int64_t first, int64_t last, const T* from, int64_t from_ld) {
    PackedTriangle<T> triangle = packed(form.t_step > 0 ? stack : 0, block);
    triangle.divides = divides;
    const int64_t lanes = lanes_for<T>(last - first), column = block * size;
    T* panel = static_cast<T*>(scratch(static_cast<size_t>(size * triangle_lanes<T>) * sizeof(T), 5));
    if (form.left) {
      T* to = x.as<T>() + (stack * n + column) * x.ld + first;
      load_columns(from + (stack * n + column) * from_ld + first, from_ld, triangle.n, last - first, panel, lanes);
      solve_panel(triangle, backward, panel, lanes);
      store_columns(panel, lanes, triangle.n, last - first, to, x.ld);
    } else {
      const int64_t row = stack * form.sides + first;
      load_panel<T>(from + row * from_ld + column, from_ld, last - first, triangle.n, nullptr, nullptr, panel, lanes);
      solve_panel(triangle, backward, panel, lanes);
      store_panel<T>(panel, lanes, last - first, triangle.n, nullptr, x.as<T>() + row * x.ld + column, x.ld);
    }
  };
  if (blocks == 1) {
    const int64_t panels = ceil_div(form.sides, triangle_lanes<T>);
    parallel_rows(form.stacks * panels, triangle_lanes<T> * n * int64_t{sizeof(T)}, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first = i % panels * triangle_lanes<T>;
        solve_block(i / panels, 0, first, min_of(form.sides, first + triangle_lanes<T>), b.as<T>(), b.ld);
      }
    });
    return true;
  }

  // x_J = (b_J − Σ over the blocks before) / t_JJ: the products add, so they get −t.
  T* negated = static_cast<T*>(scratch(static_cast<size_t>(matrices * n * n) * sizeof(T), 6));
  parallel_rows(matrices * n, n * int64_t{2 * sizeof(T)}, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      for_lanes<Vec<T>>(n, [&](int64_t c, int live) FLOW_INLINE_LAMBDA {
        store_live(negated + r * n + c, -load_live(t.as<T>() + r * t.ld + c, live), live);
      });
  });
  const int64_t chunks = ceil_div(form.sides, rows_of_task);
  parallel(form.stacks * chunks, [&](int64_t task) {
    const int64_t stack = task / chunks, first = task % chunks * rows_of_task;
    const int64_t sides = min_of(rows_of_task, form.sides - first);
    const T* minus_t = negated + (form.t_step > 0 ? stack : 0) * n * n;
    const int64_t rows = form.left ? n : sides, cols = form.left ? sides : n;
    const int64_t origin = form.left ? stack * n : stack * form.sides + first;
    T* own = x.as<T>() + origin * x.ld + (form.left ? first : 0);
    const T* given = b.as<T>() + origin * b.ld + (form.left ? first : 0);
    for (int64_t r = 0; r < rows; ++r)
      __builtin_memcpy(own + r * x.ld, given + r * b.ld, static_cast<size_t>(cols) * sizeof(T));
    Epilogue<T> add;
    add.accumulate = true;
    for (int64_t step = 0; step < blocks; ++step) {
      const int64_t block = backward ? blocks - 1 - step : step;
      const int64_t c0 = block * size, width = min_of(size, n - c0);
      const int64_t done = backward ? c0 + width : 0, count = backward ? n - done : c0;
      if (count > 0) {
        // op(−t) between the done unknowns and those of the block, stored at [done, c0] or, where turned, at [c0, done].
        const T* between = form.turned() ? minus_t + c0 * n + done : minus_t + done * n + c0;
        if (form.left)
          gemm<T>(form.turned() ? Trans::no : Trans::yes, Trans::no, width, sides, count, between, n, own + done * x.ld,
                  x.ld, own + c0 * x.ld, x.ld, add);
        else
          gemm<T>(Trans::no, form.turned() ? Trans::yes : Trans::no, sides, width, count, own + done, x.ld, between, n,
                  own + c0, x.ld, add);
      }
      for (int64_t side = 0; side < sides; side += triangle_lanes<T>)
        solve_block(stack, block, first + side, first + min_of(sides, side + triangle_lanes<T>), x.as<T>(), x.ld);
    }
  });
  return true;
}

bool triangular_solve(const Call& call) {
  TriangularForm form;
  if (!read_triangular_solve(call, form)) return false;
  return with_float(call, call.in[0], "t", [&](auto zero) {
    if (form.sides == 0 || form.stacks == 0) return true;
    return run<decltype(zero)>(call, form);
  });
}

}  // namespace

FLOW_DEFINE_OP(triangular_solve) = {"triangular_solve", triangular_solve, 2, 2, 1, 4};

}  // namespace flow::FLOW_ISA
