// What a kernel sees of a call. Plain data only: the same structs cross into the files that are compiled
// once per instruction set and, later, into the CUDA plug-in.
#pragma once
#include "core/dtype.h"
#include "core/peak.h"

namespace flow {

// A row-major matrix view, rows × cols with `ld` elements from one row to the next (ld ≥ cols).
// A vector of N numbers is [N, 1]; a scalar is [1, 1]. An operand that the caller left out has data == nullptr.
struct Operand {
  void* data;
  DType dtype;
  int64_t rows;
  int64_t cols;
  int64_t ld;

  bool absent() const { return data == nullptr; }
  bool contiguous() const { return ld == cols || rows == 1; }
  int64_t count() const { return rows * cols; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

// The sentence of a failed call; the binding turns it into an error of code NATIVE.
struct Failure {
  char message[512];
};

struct Call {
  const char* op;
  const Operand* in;
  const Operand* out;  // outputs, and what is updated in place
  const double* attr;
  int n_in;
  int n_out;
  int n_attr;
  Failure* failure;

  // Writes "[op] message" and returns false, so that a kernel can `return call.fail(...)`.
  __attribute__((format(printf, 2, 3))) bool fail(const char* format, ...) const;
  int64_t int_attr(int i) const { return static_cast<int64_t>(attr[i]); }
};

// Returns false after call.fail(). A kernel checks every shape that it relies on: a wrong instruction must end in
// an error, never in a wild access. Views were already checked against their buffers.
using Kernel = bool (*)(const Call& call);

struct Op {
  const char* name;
  Kernel run;
  int min_in, max_in;  // operands that may be passed (absent ones count)
  int n_out;           // −1: any number
  int n_attr;          // −1: any number
};

// The kernels of one instruction set, in the order of native/ops/registry.def.
struct OpTable {
  const char* isa;
  const Op* const* ops;
  int count;
  const PeakLoops* peak;  // for benches; null in the table of the plain loops
};

}  // namespace flow

// The one definition of an op in its file: FLOW_DEFINE_OP(copy) = {"copy", run, 1, 1, 1, 0};
#define FLOW_DEFINE_OP(name)  \
  extern const Op op_##name; \
  const Op op_##name

// Early return with a message when a condition on the operands does not hold.
#define FLOW_CHECK(call, condition, ...) \
  do {                                   \
    if (!(condition)) [[unlikely]]       \
      return (call).fail(__VA_ARGS__);   \
  } while (0)
