// discrete_sample: levels drawn from uniform numbers in [0, 1), row by row. Attributes: kind, levels, least logarithm of a scale.
//   0 categorical: in logits [rows, C·L], u [rows, C] · 1 mixture of discretised logistics: in params, u [rows, 1 + C]
//   2 Bernoulli: in logits [rows, C], u [rows, C]. out: x [rows, C] of the type of the parameters. See native/ops/discrete_sample.cc.
//
// Floor: the parameters once. A thread draws a channel, or a row of a mixture, whose channels follow from each other.
#include "cuda/ops/discrete.h"

namespace flow::cuda {
namespace {

template <class T>
struct Draw {
  Matrix<const T> params, u;
  Matrix<T> x;
  LogisticMixture m;
  int64_t levels;
  DiscreteKind kind;

  __device__ __forceinline__ Nothing sample(int64_t) const { return {}; }
  __device__ __forceinline__ void operator()(Nothing, int64_t r, int64_t c) const {
    if (kind == DiscreteKind::bernoulli) {
      *x.at(r, c) = draw_bit(*params.at(r, c), *u.at(r, c));
      return;
    }
    if (kind == DiscreteKind::categorical) {
      *x.at(r, c) = level_of<T>(draw_category(params.at(r, c * levels), levels, static_cast<double>(*u.at(r, c))));
      return;
    }
    const T *p = params.at(r, 0), *uniform = u.at(r, 0);
    draw_logistics(m, draw_category(p, m.components, static_cast<double>(uniform[0])), p, uniform + 1, x.at(r, 0));
  }
};

bool discrete_sample(const Call& call) {
  const Operand &params = call.in[0], &u = call.in[1], &out = call.out[0];
  DiscreteKind kind{};
  LogisticMixture m;
  if (!read_discrete_sample(call, kind, m)) return false;
  return with_float(call, params, "params", [&](auto zero) {
    using T = decltype(zero);
    return walk_samples(call, params.rows, kind == DiscreteKind::mixture ? 1 : out.cols,
                        Draw<T>{matrix<const T>(params), matrix<const T>(u), matrix<T>(out), m, call.int_attr(1), kind});
  });
}

}  // namespace

FLOW_DEFINE_OP(discrete_sample) = {"discrete_sample", discrete_sample, 2, 2, 1, 3};

}  // namespace flow::cuda
