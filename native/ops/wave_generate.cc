// wave_generate: a WaveNet sample after sample. Each layer keeps what it read in a queue as long as its dilation, so that a sample
// costs each layer once; the weights are packed once. The sums have the order of wave_stack and linear: the samples are those of
// drawing one after the other from whole passes.
//
// in: noise [N, T·k], condition [N·T, C] or absent, input weight and bias, weight and bias of the hidden and of the last layer
// behind the skips, the beginning [N, T₀ ≤ T] of the sequences or absent, then W, b, Wo, bo of each layer as wave_stack takes them;
// out: x [N, T], the beginning included.
// Attributes: kind, levels L, least logarithm of a scale, T, then the dilation of each layer.
//   0 categorical, k = 1: input weight [L + 1, R], a row a level and one for the start, no bias; logits as of categoricalLogProb
//   1 mixture of logistics, k = 2: input weight [R, 1] of 2x/(L − 1) − 1; parameters as of discretizedLogisticMixtureLogProb
//   2 Gaussian, k = 1 normal number: input weight [R, 1] of x; x = m + max(s, least)·noise of [m | log s]
//   3 inverse of an affine map, k = 1: noise is y = z·s + m, of which z is found; input weight [R, 1] of z
// Before the start the input is 0, of kind 0 the row L.
#include "ops/discrete.h"
#include "ops/wave_stack.h"
#include "ops/wave_generate_operands.h"
#include "simd/row_product.h"

namespace flow::FLOW_ISA {
namespace {

constexpr int first_layer = generator_first_layer;
constexpr int64_t group_rows = 8;  // sequences that go together

// W [outputs, inputs] as [inputs][outputs], the outputs filled up with zeros to whole registers; and a bias.
template <class T>
struct Step {
  int64_t inputs, outputs, columns;
  T* packed;
  T* bias;

  void run(int64_t rows, const T* in, int64_t in_ld, T* out, int64_t out_ld) const {
    row_product(rows, columns, inputs, in, in_ld, packed, out, out_ld);
  }
  void start(int64_t rows, T* out, int64_t out_ld) const {
    for (int64_t r = 0; r < rows; ++r) __builtin_memcpy(out + r * out_ld, bias, static_cast<size_t>(columns) * sizeof(T));
  }
};

// Memory handed out in whole registers: first counted, then given.
template <class T>
class Room {
 public:
  T* take(int64_t elements) {
    T* at = memory_ ? memory_ + size_ : nullptr;
    size_ += ceil_div(elements, 64) * 64;
    return at;
  }
  int64_t size() const { return size_; }
  void give(T* memory) {
    memory_ = memory;
    size_ = 0;
  }

 private:
  T* memory_ = nullptr;
  int64_t size_ = 0;
};

template <class T>
int64_t whole_registers(int64_t n) {
  return ceil_div(n, Vec<T>::width) * Vec<T>::width;
}

template <class T>
Step<T> make_step(Room<T>& room, bool fill, const T* w, int64_t ld, int64_t outputs, int64_t inputs, const T* bias) {
  const int64_t columns = whole_registers<T>(outputs);
  Step<T> step{inputs, outputs, columns, room.take(columns * inputs), room.take(columns)};
  if (!fill) return step;
  for (int64_t k = 0; k < inputs; ++k)
    for (int64_t o = 0; o < columns; ++o) step.packed[k * columns + o] = o < outputs ? w[o * ld + k] : T(0);
  for (int64_t o = 0; o < columns; ++o) step.bias[o] = bias && o < outputs ? bias[o] : T(0);
  return step;
}

template <class T>
struct Layer {
  int64_t dilation;
  Step<T> before, own, condition, skip, residual;
};

template <class T>
struct Generator {
  WaveShape v;
  int kind;
  LogisticMixture mixture;
  T least;
  const Operand &noise, &condition, &embedding, &given, &x;
  Step<T> input, hidden, last;
  Layer<T>* layers;
  int64_t queues;  // numbers of a sequence in all queues

  // Sequences n0 … n0 + rows, from the first sample to the last.
  void run(int64_t n0, int64_t rows) const {
    using V = Vec<T>;
    constexpr int w = V::width;
    const int64_t R = whole_registers<T>(v.channels), G = v.gated, S = whole_registers<T>(v.skips);
    const int64_t Z = whole_registers<T>(2 * G), H = hidden.columns, O = last.columns, g_ld = whole_registers<T>(G);
    Room<T> room;
    T *h = nullptr, *z = nullptr, *g = nullptr, *skip = nullptr, *middle = nullptr, *out = nullptr, *e = nullptr, *queue = nullptr;
    for (int turn = 0; turn < 2; ++turn) {
      h = room.take(rows * R), z = room.take(rows * Z), g = room.take(rows * g_ld), skip = room.take(rows * S);
      middle = room.take(rows * H), out = room.take(rows * O), e = room.take(O + w), queue = room.take(rows * queues);
      if (turn == 0) room.give(static_cast<T*>(scratch(static_cast<size_t>(room.size()) * sizeof(T), 6)));
    }
    __builtin_memset(queue, 0, static_cast<size_t>(rows * queues) * sizeof(T));
    T previous[group_rows] = {};
    const V to_value(T(2 / static_cast<double>(mixture.levels - 1)));
    for (int64_t t = 0; t < v.length; ++t) {
      if (kind == 0) {
        for (int64_t r = 0; r < rows; ++r) {
          if (previous[r] != previous[r]) {
            for (int64_t i = 0; i < v.channels; ++i) h[r * R + i] = previous[r];
            continue;
          }
          const int64_t row = t == 0 ? mixture.levels : static_cast<int64_t>(previous[r]);
          __builtin_memcpy(h + r * R, embedding.as<T>() + row * embedding.ld, static_cast<size_t>(v.channels) * sizeof(T));
        }
      } else {
        input.start(rows, h, R);
        input.run(rows, previous, 1, h, R);
      }
      T* slot = queue;
      for (int64_t l = 0; l < v.layers; ++l) {
        const Layer<T>& layer = layers[l];
        T* now = slot + t % layer.dilation * rows * R;
        layer.own.start(rows, z, Z);
        layer.before.run(rows, now, R, z, Z);
        layer.own.run(rows, h, R, z, Z);
        if (v.condition > 0)
          layer.condition.run(rows, condition.as<T>() + (n0 * v.length + t) * condition.ld, v.length * condition.ld, z, Z);
        __builtin_memcpy(now, h, static_cast<size_t>(rows * R) * sizeof(T));
        slot += layer.dilation * rows * R;
        for (int64_t r = 0; r < rows; ++r) {
          const T *a = z + r * Z, *b = a + G;
          T* to = g + r * g_ld;
          for_lanes<V>(G, [&](int64_t i, int live) FLOW_INLINE_LAMBDA {
            store_live(to + i, tanh(load_live(a + i, live)) * sigmoid(load_live(b + i, live)), live);
          });
        }
        if (l == 0) layer.skip.start(rows, skip, S);
        layer.skip.run(rows, g, g_ld, skip, S);
        if (l + 1 == v.layers) break;
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t i = 0; i < R; i += w) store(h + r * R + i, load<V>(h + r * R + i) + load<V>(layer.residual.bias + i));
        layer.residual.run(rows, g, g_ld, h, R);
      }
      for (int64_t i = 0; i < rows * S; i += w) store(skip + i, max(V(0), load<V>(skip + i)));
      hidden.start(rows, middle, H);
      hidden.run(rows, skip, S, middle, H);
      for (int64_t i = 0; i < rows * H; i += w) store(middle + i, max(V(0), load<V>(middle + i)));
      last.start(rows, out, O);
      last.run(rows, middle, H, out, O);
      for (int64_t r = 0; r < rows; ++r) {
        const T value = t < given.cols ? given.as<T>()[(n0 + r) * given.ld + t]
                                       : draw(noise.as<T>() + (n0 + r) * noise.ld + t * (kind == 1 ? 2 : 1), out + r * O, e);
        x.as<T>()[(n0 + r) * x.ld + t] = value;
        previous[r] = value;
        if (kind == 1) {
          T lane[w];
          store(lane, fma(to_value, V(value), V(T(-1))));
          previous[r] = lane[0];
        }
      }
    }
  }

  T draw(const T* u, const T* params, T* e) const {
    if (kind == 0) return level_of<T>(draw_category(params, mixture.levels, static_cast<double>(u[0]), e));
    if (kind == 1) {
      T level = 0;
      draw_mixture(mixture, params, u, &level, e);
      return level;
    }
    // The logarithm of the scale as `maximum` takes it, exp as `exp` does.
    const T log_scale = params[1] < least ? least : params[1];
    T scale[Vec<T>::width];
    if (kind == 3) {
      store(scale, exp(-Vec<T>(log_scale)));
      return (u[0] - params[0]) * scale[0];
    }
    store(scale, exp(Vec<T>(log_scale)));
    // Rounded before the sum, as two ops do it.
    volatile T spread = scale[0] * u[0];
    return params[0] + spread;
  }
};

bool wave_generate(const Call& call) {
  WaveGenerator net{};
  if (!read_wave_generate(call, net)) return false;
  const WaveShape& v = net.shape;
  const int kind = net.kind;
  const int64_t levels = net.levels, length = net.length, outputs = net.outputs;
  const Operand *in = call.in, &x = call.out[0], &noise = in[0], &embedding = in[2], &given = in[8];
  for (int64_t i = 0; kind == 0 && !given.absent() && i < given.count(); ++i)
    FLOW_CHECK(call, is_level(Levels{given}.at(i / given.cols, i % given.cols), levels),
               "beginning: expected levels from 0 to %lld, got another number", ll(levels - 1));
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    Layer<T>* layers = static_cast<Layer<T>*>(scratch(static_cast<size_t>(v.layers) * sizeof(Layer<T>), 4));
    Generator<T> made{v,  kind, {outputs / 3, 1, max_of(levels, 2), call.attr[2]}, static_cast<T>(call.attr[2]), noise, in[1], embedding, in[8], x,
                      {}, {},   {}, layers, 0};
    Room<T> room;
    T* skip_bias = static_cast<T*>(scratch(static_cast<size_t>(v.skips) * sizeof(T), 7));
    for (int64_t i = 0; i < v.skips; ++i) {
      skip_bias[i] = T(0);
      for (int64_t l = 0; l < v.layers; ++l) skip_bias[i] += in[first_layer + wave_weights * l + 3].as<T>()[i];
    }
    const int64_t R = v.channels, G = v.gated, S = v.skips;
    for (int turn = 0; turn < 2; ++turn) {
      const bool fill = turn == 1;
      auto step = [&](const Operand& w, int64_t row, int64_t n, int64_t column, int64_t k, const T* bias) {
        return make_step<T>(room, fill, w.as<T>() + row * w.ld + column, w.ld, n, k, bias);
      };
      if (kind != 0) made.input = step(embedding, 0, R, 0, 1, in[3].as<T>());
      made.hidden = step(in[4], 0, in[4].rows, 0, S, in[5].as<T>());
      made.last = step(in[6], 0, outputs, 0, in[4].rows, in[7].as<T>());
      made.queues = 0;
      for (int64_t l = 0; l < v.layers; ++l) {
        const Operand* p = in + first_layer + wave_weights * l;
        const bool top = l + 1 == v.layers;
        layers[l] = {min_of(call.int_attr(4 + static_cast<int>(l)), length),
                     step(p[0], 0, 2 * G, 0, R, nullptr),
                     step(p[0], 0, 2 * G, R, R, p[1].as<T>()),
                     step(p[0], 0, 2 * G, 2 * R, v.condition, nullptr),
                     step(p[2], 0, S, 0, G, l == 0 ? skip_bias : nullptr),
                     top ? Step<T>{} : step(p[2], S, R, 0, G, p[3].as<T>() + S)};
        made.queues += layers[l].dilation * whole_registers<T>(R);
      }
      if (turn == 0) room.give(static_cast<T*>(scratch(static_cast<size_t>(room.size()) * sizeof(T), 5)));
    }
    const int64_t together = max_of(1, min_of(group_rows, x.rows / 4));
    parallel(ceil_div(x.rows, together),
             [&](int64_t group) { made.run(group * together, min_of(together, x.rows - group * together)); });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(wave_generate) = {"wave_generate", wave_generate, first_layer + wave_weights,
                                 first_layer + wave_weights * most_wave_layers, 1, -1};

}  // namespace flow::FLOW_ISA
