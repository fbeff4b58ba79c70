// What adam, sgd and ema read of their operands, on either device: the files of these ops say which they are.
#pragma once
#include "ops/tensor_list_operands.h"

namespace flow::FLOW_ISA {

/** Lists of n operands; a gradient may be absent, and so may all extents: null. */
struct AdamOperands {
  int n;
  const Operand *norm, *skip, *gradients, *extents, *state, *parameters, *first, *second;
};

inline bool read_adam(const Call& call, AdamOperands& of) {
  const int n = (call.n_out - 1) / 3;
  FLOW_CHECK(call, call.n_out == 1 + 3 * n && (call.n_in == 2 + n || call.n_in == 2 + 2 * n),
             "operands: got %d inputs and %d outputs", call.n_in, call.n_out);
  const Operand* const parameters = call.out + 1;
  of = {n,        call.in,    call.in + 1,    call.in + 2,        call.n_in == 2 + 2 * n && n > 0 ? call.in + 2 + n : nullptr,
        call.out, parameters, parameters + n, parameters + 2 * n};
  if (!check_state(call, *of.state, 7) || !check_float_list(call, "parameters", parameters, n) ||
      !check_list(call, "gradients", of.gradients, parameters, n, true) ||
      !check_list(call, "first moments", of.first, parameters, n) ||
      !check_list(call, "second moments", of.second, parameters, n))
    return false;
  if (!of.norm->absent() && !check_number(call, *of.norm, "norm")) return false;
  return check_skip(call, *of.skip) && (!of.extents || check_extent_list(call, of.extents, parameters, n));
}

struct SgdOperands {
  int n;
  const Operand *norm, *skip, *gradients, *state, *parameters, *buffers;
};

inline bool read_sgd(const Call& call, SgdOperands& of) {
  const int n = (call.n_out - 1) / 2;
  FLOW_CHECK(call, call.n_out == 1 + 2 * n && call.n_in == 2 + n, "operands: got %d inputs and %d outputs", call.n_in, call.n_out);
  of = {n, call.in, call.in + 1, call.in + 2, call.out, call.out + 1, call.out + 1 + n};
  if (!check_state(call, *of.state, 4) || !check_float_list(call, "parameters", of.parameters, n) ||
      !check_list(call, "gradients", of.gradients, of.parameters, n, true) ||
      !check_list(call, "momentum buffers", of.buffers, of.parameters, n))
    return false;
  if (!of.norm->absent() && !check_number(call, *of.norm, "norm")) return false;
  return check_skip(call, *of.skip);
}

struct EmaOperands {
  int n;
  const Operand *decay, *skip, *values, *shadows;
};

inline bool read_ema(const Call& call, EmaOperands& of) {
  const int n = call.n_out;
  FLOW_CHECK(call, call.n_in == 2 + n, "operands: got %d inputs and %d outputs", call.n_in, call.n_out);
  of = {n, call.in, call.in + 1, call.in + 2, call.out};
  return check_number(call, *of.decay, "decay") && check_skip(call, *of.skip) && check_float_list(call, "shadows", of.shadows, n) &&
         check_list(call, "values", of.values, of.shadows, n);
}

}  // namespace flow::FLOW_ISA
