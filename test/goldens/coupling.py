"""Coupling flows: the affine coupling by each scale map, and RealNVP and NICE on tables: log p, gradients of -mean log p, and
the parameters after ten Adam steps."""

import math

import torch
import torch.nn.functional as F

from golden import adam_steps, generator, gradients, normal, standard_normal_log_prob, tensor, tensors, write


def log_scale(kind, raw, gain=1.0, bound=1.0):
    """log s of raw, by PyTorch's own stable functions."""
    if kind == "additive":
        return torch.zeros_like(raw)
    if kind == "exp":
        return raw
    if kind == "tanh":
        return gain * torch.tanh(raw)
    if kind == "sigmoid":
        return F.logsigmoid(raw + 2)
    if kind == "doubleSigmoid":
        return math.log(2) + F.logsigmoid(raw)
    assert kind == "atan"
    return bound * (2 / math.pi) * torch.atan(raw / bound)


def split_params(kind, params):
    if kind == "additive":
        return params, torch.zeros_like(params)
    return params.chunk(2, dim=-1)


# ---- the op ------------------------------------------------------------------------------------


def kernel(name, seed, kind, inverse, samples=3, positions=1, columns=5, start=1, count=3, checkerboard=None, bound=1.7,
           learned=False):
    gen = generator(seed)
    each = 1 if kind == "additive" else 2
    rows = samples * positions
    inputs = {"x": normal(gen, rows, columns), "params": normal(gen, rows, each * count, scale=1.2)}
    if learned:
        inputs["gain"] = normal(gen, count)
    for value in inputs.values():
        value.requires_grad_(True)
    mask = torch.zeros(rows, columns, dtype=torch.bool)
    if checkerboard is None:
        mask[:, start:start + count] = True
    else:
        width, parity = checkerboard
        for row in range(rows):
            h, w = divmod(row % positions, width)
            mask[row] = (h + w) % 2 == parity
    shift, raw = split_params(kind, inputs["params"])
    a = log_scale(kind, raw, inputs.get("gain", torch.ones(())), bound)
    wide = lambda value: F.pad(value, (start, columns - start - count))
    shift, a = wide(shift), torch.where(mask, wide(a), torch.zeros(()))
    x = inputs["x"]
    y = torch.where(mask, (x - shift) * torch.exp(-a) if inverse else x * torch.exp(a) + shift, x)
    log_det = (-a if inverse else a).reshape(samples, -1).sum(dim=1)
    weights = {"y": normal(gen, rows, columns), "logDet": normal(gen, samples)}
    loss = (y * weights["y"]).sum() + (log_det * weights["logDet"]).sum()
    loss.backward()
    scale = {"kind": kind, "bound": bound} if kind == "atan" else {"kind": kind}
    return {
        "name": name, "type": "kernel", "seed": seed, "inverse": inverse,
        "options": {"scale": scale, "positions": positions, "start": start,
                    "checkerboard": None if checkerboard is None else {"width": checkerboard[0], "parity": checkerboard[1]}},
        "inputs": tensors(inputs),
        "outputs": {"y": tensor(y), "logDet": tensor(log_det)},
        "outputWeights": tensors(weights),
        "gradients": gradients(inputs),
    }


def kernels():
    seed = 100
    for kind in ["additive", "exp", "tanh", "sigmoid", "doubleSigmoid", "atan"]:
        for inverse in [False, True]:
            way = "inverse" if inverse else "forward"
            learned = kind == "tanh"
            yield kernel(f"{kind}-{way}-columns", seed, kind, inverse, learned=learned)
            yield kernel(f"{kind}-{way}-positions", seed + 1, kind, inverse, positions=4, start=0, count=2, columns=3,
                         learned=learned)
            yield kernel(f"{kind}-{way}-checkerboard", seed + 2, kind, inverse, samples=2, positions=6, columns=2, start=0,
                         count=2, checkerboard=(3, seed // 3 % 2), learned=learned)
            seed += 3


# ---- flows -------------------------------------------------------------------------------------


class Mlp:
    """hidden.0.weight [H, in], hidden.0.bias, …, output.weight, output.bias; context.weight [H, C], added before the first
    activation."""

    def __init__(self, gen, inputs, outputs, hidden, context):
        self.layers, self.params = len(hidden), {}
        for i, width in enumerate(hidden):
            self.params[f"hidden.{i}.weight"] = normal(gen, width, inputs, scale=0.9 / math.sqrt(inputs))
            self.params[f"hidden.{i}.bias"] = normal(gen, width, scale=0.3)
            inputs = width
        self.params["output.weight"] = normal(gen, outputs, inputs, scale=0.9 / math.sqrt(inputs))
        self.params["output.bias"] = normal(gen, outputs, scale=0.3)
        if context:
            self.params["context.weight"] = normal(gen, hidden[0], context, scale=0.7)

    def __call__(self, x, context):
        for i in range(self.layers):
            z = F.linear(x, self.params[f"hidden.{i}.weight"], self.params[f"hidden.{i}.bias"])
            if i == 0 and context is not None:
                z = z + context @ self.params["context.weight"].T
            x = torch.relu(z)
        return F.linear(x, self.params["output.weight"], self.params["output.bias"])


class CouplingFlow:
    """RealNVP: y_a = x_a·exp(gain·tanh(raw(x_b))) + t(x_b), halves alternating, the second one transformed first.
    NICE: the columns sorted into even and odd ones, y_a = x_a + t(x_b), then a scale of each column; logistic prior."""

    def __init__(self, gen, features, transforms, hidden, kind, context=0, nice=False, bound=2.0):
        self.nice, self.kind, self.bound, self.halves, self.params = nice, kind, bound, [], {}
        first = (features + 1) // 2
        self.nets = []
        each = 1 if kind == "additive" else 2
        offset = 1 if nice else 0
        for k in range(transforms):
            second = k % 2 == 0
            inside, outside = (features - first, first) if second else (first, features - first)
            self.halves.append((first, second))
            net = Mlp(gen, outside, each * inside, hidden, context)
            prefix = f"{k + offset}."
            if kind == "tanh":
                self.params[prefix + "gain"] = 1 + normal(gen, inside, scale=0.3)
            for name, value in net.params.items():
                self.params[prefix + "conditioner." + name] = value
            self.nets.append((net, prefix))
        if nice:
            self.params[f"{transforms + 1}.logScale"] = normal(gen, features, scale=0.4)
        for name in self.params:
            self.params[name] = self.params[name].clone().requires_grad_(True)
        for net, prefix in self.nets:
            for name in net.params:
                net.params[name] = self.params[prefix + "conditioner." + name]

    def forward(self, x, context=None):
        total = torch.zeros(x.shape[0])
        if self.nice:
            x = torch.cat([x[:, 0::2], x[:, 1::2]], dim=1)
        for (first, second), (net, prefix) in zip(self.halves, self.nets):
            a, b = x[:, :first], x[:, first:]
            seen, moved = (a, b) if second else (b, a)
            shift, raw = split_params(self.kind, net(seen, context))
            s = log_scale(self.kind, raw, self.params.get(prefix + "gain"), self.bound)
            moved = moved * torch.exp(s) + shift
            total = total + s.sum(dim=1)
            x = torch.cat([a, moved] if second else [moved, b], dim=1)
        if self.nice:
            scale = self.params[f"{len(self.nets) + 1}.logScale"]
            x, total = x * torch.exp(scale), total + scale.sum()
        return x, total

    def log_prob(self, x, context=None):
        noise, log_det = self.forward(x, context)
        if self.nice:
            return -(F.softplus(noise) + F.softplus(-noise)).sum(dim=1) + log_det
        return standard_normal_log_prob(noise) + log_det


def data(gen, n, features):
    z = normal(gen, n, features)
    x = z @ (torch.eye(features) + 0.4 * normal(gen, features, features)) + 0.5
    return x + 0.3 * torch.roll(x, 1, dims=1) ** 2


def flow_case(name, seed, n, features, transforms, hidden, kind, context=0, nice=False):
    gen = generator(seed)
    flow = CouplingFlow(gen, features, transforms, hidden, kind, context, nice)
    rows = lambda count: {"x": data(gen, count, features), **({"context": normal(gen, count, context)} if context else {})}
    inputs = rows(n)
    batches = [rows(n) for _ in range(10)]
    record = {"name": name, "type": "flow", "seed": seed,
              "config": {"recipe": "nice" if nice else "realnvp", "features": features, "transforms": transforms,
                         "hidden": hidden, "contextFeatures": context, "scale": kind, "bound": flow.bound},
              "params": tensors(flow.params), "inputs": tensors(inputs)}
    for value in inputs.values():
        value.requires_grad_(True)
    noise, log_det = flow.forward(**inputs)
    log_prob = flow.log_prob(**inputs)
    loss = -log_prob.mean()
    loss.backward()
    record["outputs"] = {"noise": tensor(noise), "logDet": tensor(log_det), "logProb": tensor(log_prob), "loss": loss.item()}
    record["gradients"] = {"inputs": gradients(inputs), "params": gradients(flow.params)}
    record["training"] = {**adam_steps(flow.params.values(), flow.log_prob, batches), "params": tensors(flow.params)}
    return record


ABOUT = ("kernel: y = x·s + t (inverse: (x − t)/s) on the transformed elements, loss = sum(y·weights.y) + "
         "sum(logDet·weights.logDet) and its gradients. flow: params named as the library's chain; loss = -mean log p; training: "
         "ten Adam steps on the ten batches, params = those after the last.")

if __name__ == "__main__":
    write("coupling", ABOUT, [
        *kernels(),
        flow_case("realnvp-tanh", 31, 9, 5, 4, [12, 9], "tanh"),
        flow_case("realnvp-sigmoid-context", 32, 8, 4, 3, [10], "sigmoid", context=3),
        flow_case("realnvp-atan", 33, 8, 6, 3, [8, 8], "atan"),
        flow_case("nice", 34, 9, 5, 4, [11, 7, 9], "additive", nice=True),
    ])
