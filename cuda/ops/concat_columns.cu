// concat_columns: the columns of the inputs side by side. Every input has the rows and the type of out.
//
// Floor: every operand, once; 16 bytes at a time where all of them are aligned to these. The inputs stand in a table in the kernel's
// arguments; a thread looks its own up once and then goes down the rows. More inputs than a table has: one launch for each table.
#include "cuda/core/columns.h"

namespace flow::cuda {
namespace {

constexpr int table_rows = 128;

template <int W, class T>
struct Concat {
  struct Input {
    const T* p;
    int64_t ld, end;  // the column after its last, in out
  };
  Input inputs[table_rows];
  int count;
  int64_t start;  // the first column of the table, in out
  Matrix<T> out;

  struct Source {
    const T* p;
    int64_t ld;
  };
  __device__ __forceinline__ Source column(int64_t unit) const {
    const int64_t col = start + unit * W;
    int low = 0, high = count - 1;  // the first input that ends after col
    while (low < high) {
      const int middle = (low + high) / 2;
      if (inputs[middle].end > col) high = middle;
      else low = middle + 1;
    }
    const int64_t own = low > 0 ? inputs[low - 1].end : start;
    return {inputs[low].p + (col - own), inputs[low].ld};
  }
  __device__ __forceinline__ void operator()(const Source& from, int64_t row, int64_t unit) const {
    T value[W];
    load<W>(value, from.p + row * from.ld);
    store<W>(out.at(row, start + unit * W), value);
  }
};

template <class T>
bool run_type(const Call& call) {
  const Operand& out = call.out[0];
  Width<T> width;
  width.of(out).columns(out.cols);
  for (int i = 0; i < call.n_in; ++i)
    if (call.in[i].count() > 0) width.of(call.in[i]).columns(call.in[i].cols);
  return width.choose([&](auto tag) {
    constexpr int W = decltype(tag)::value;
    int64_t start = 0;
    for (int i = 0; i < call.n_in;) {
      Concat<W, T> table;
      static_assert(sizeof table <= 4000);
      table.count = 0;
      table.start = start;
      table.out = matrix<T>(out);
      for (; i < call.n_in && table.count < table_rows; ++i) {
        if (call.in[i].count() == 0) continue;
        start += call.in[i].cols;
        table.inputs[table.count++] = {call.in[i].as<const T>(), call.in[i].ld, start};
      }
      if (!walk_columns(call, out.rows, (start - table.start) / W, table)) return false;
    }
    return true;
  });
}

bool concat_columns(const Call& call) {
  const Operand& out = call.out[0];
  int64_t cols = 0;
  for (int i = 0; i < call.n_in; ++i) {
    FLOW_CHECK(call, call.in[i].rows == out.rows, "input %d: expected %lld rows, got %lld", i, ll(out.rows),
               ll(call.in[i].rows));
    FLOW_CHECK_SAME_DTYPE(call, call.in[i], out, "input");
    cols += call.in[i].cols;
  }
  FLOW_CHECK(call, cols == out.cols, "output: expected %lld columns, got %lld", ll(cols), ll(out.cols));
  switch (size_of(out.dtype)) {
    case 8: return run_type<uint64_t>(call);
    case 4: return run_type<uint32_t>(call);
    default: return run_type<uint8_t>(call);
  }
}

}  // namespace

FLOW_DEFINE_OP(concat_columns) = {"concat_columns", concat_columns, 1, 1024, 1, 0};

}  // namespace flow::cuda
