// A staircase as a few dense products of cuBLAS: strips of units, each as wide as the most that one of them sees; or, for the gradient by
// the input, strips of inputs, each as deep as the units that see one of them.
//
// The tiles of core/product.h compute what the mask leaves and little more, in one launch, at about half of what the device's multiply-adds
// can do. cuBLAS does more a second, far more where tensor cores take the factors (float32 as TF32, float64 where the device has
// such), and pays for it: the steps of the strips are filled up, half a step of each on average (a staircase that rises evenly, cut into
// S strips, costs 1/2 + 1/(2·S) of the whole rectangle), each strip is a launch that must fill the device by itself, what is outside of the
// mask has to be zero first, and the epilogue is a pass of its own. Counted in multiply-adds of one multiprocessor at the rate of our tiles:
//
//   tiles    (Σ depth of 64 × 64 tiles + half a wave)·64² / P
//   strips   Σ over strips ((128 × 128 tiles + half a wave)·128²·depth / (P·gain) + launch)  + launch (mask) + launch + bytes·4 (epilogue)
//
// with P multiprocessors, half a wave = P/2 tiles of the deepest kind, shared by the parts into which k is cut; gain 2 in float32, 8 by tensor
// cores in TF32 and 3 in float64, where the device has them; launch = 2^17. Where the sum of the strips is the lesser, they are taken, cut where
// it is least. What that comes to at 132 multiprocessors with an even staircase: test/cuda/strips.test.ts. The rates are counts and not
// measured: `set("strips", n)` makes it n strips, 0 none, −1 the rule, so that bench/cuda can time both.
//
// The widths must be known to the host, which cannot wait for the device: it knows what it has written itself (written_by_host). A graph
// keeps its strips; should other extents be written to the tensor later, what they see beyond the strips becomes NaN instead of being left out.
#pragma once
#include "core/op.h"

namespace flow::cuda {

/** What the host wrote to an int32 operand, if nothing else did since; else null. Valid during the call. */
const int32_t* written_by_host(const Operand& operand);

/** Units u0 … u1 by inputs i0 … i1 of a weight. */
struct Strip {
  int u0, u1, i0, i1;
};
inline constexpr int most_strips = 16;
/** In the order of their inputs, or of their units. */
struct Strips {
  int count = 0;  // 0: not by strips
  Strip strip[most_strips];
};

/** Which of the three products of a layer. */
enum class StripsOf { forward, grad_input, grad_weight };

/** The strips of a product of `rows` rows, none where our tiles are taken. `finished`: it has an epilogue. */
Strips plan_strips(StripsOf which, const Operand& extents, int64_t rows, int64_t units, int64_t inputs, DType dtype, bool finished);

/** Whether plan_strips may give some to a layer with a mask. */
bool may_be_strips(int64_t rows, int64_t units, int64_t inputs);

/** How many strips every staircase is cut into; 0: none is, −1: as counted. */
void set_strips(int count);
int strips_set();
/** Which tensor cores there are. */
void set_strips_device(int major, int minor);

}  // namespace flow::cuda
