"""Continuous flows: steps of Runge–Kutta 4 with the exact trace, gradients through them and of the adjoint equation, and the
solution itself by steps so small that their error is that of rounding."""

import torch
import torch.nn.functional as F

from golden import generator, gradients, normal, tensor, tensors, write


def case(name, seed, features, hidden, layers, activation, context=0, samples=4, steps=5, fine=400):
    gen = generator(seed)
    widths = [*hidden, features]
    total = sum(widths)
    params = {}
    for l, (inputs, outputs) in enumerate(zip([features, *hidden], widths)):
        params[f"weight.{l}"] = normal(gen, outputs, inputs, scale=1.4 / inputs**0.5)
    params["bias"] = normal(gen, total, scale=0.5)
    params["time"] = normal(gen, total, scale=0.5)
    if layers == "concatsquash":
        params["gate.time"] = normal(gen, total, scale=0.8)
        params["gate.bias"] = normal(gen, total, scale=0.8)
    if context:
        params["context"] = normal(gen, total, context, scale=0.5)
    if activation == "swish":
        for l in range(len(hidden)):
            params[f"beta.{l}"] = normal(gen, 1, scale=0.5)
    for value in params.values():
        value.requires_grad_(True)
    x = normal(gen, samples, features).requires_grad_(True)
    rows = normal(gen, samples, context).requires_grad_(True) if context else None
    weights = normal(gen, samples, features)
    log_det_weights = normal(gen, samples)

    def field(t, z):
        """W x + b as a layer of its own, then gate and shift, as FFJORD's code has it."""
        h, start = z, 0
        for l, width in enumerate(widths):
            part = slice(start, start + width)
            h = h @ params[f"weight.{l}"].T + params["bias"][part]
            if layers == "concatsquash":
                h = h * torch.sigmoid(params["gate.bias"][part] + t * params["gate.time"][part])
            h = h + t * params["time"][part]
            if context:
                h = h + rows @ params["context"][part].T
            if l < len(hidden):
                if activation == "swish":
                    h = h * torch.sigmoid(F.softplus(params[f"beta.{l}"]) * h)
                else:
                    h = {"tanh": torch.tanh, "softplus": F.softplus, "elu": F.elu}[activation](h)
            start += width
        return h

    def rates(t, z):
        f = field(t, z)
        trace = sum(torch.autograd.grad(f[:, i].sum(), z, create_graph=True)[0][:, i] for i in range(features))
        return f, trace

    def step(rule, t, h, state):
        """One step of Runge–Kutta 4 for a tuple of tensors."""
        moved = lambda k, size: tuple(s + size * r for s, r in zip(state, k))
        k1 = rule(t, state)
        k2 = rule(t + h / 2, moved(k1, h / 2))
        k3 = rule(t + h / 2, moved(k2, h / 2))
        k4 = rule(t + h, moved(k3, h))
        return tuple(s + h / 6 * (a + 2 * b + 2 * c + d) for s, a, b, c, d in zip(state, k1, k2, k3, k4))

    def solved(count):
        state = (x, torch.zeros(samples))
        for k in range(count):
            state = step(lambda t, s: rates(t, s[0]), 1 - k / count, -1 / count, state)
        return state

    leaves = {"x": x, **({"rows": rows} if context else {}), **params}
    y, log_det = solved(steps)
    ((y * weights).sum() + (log_det * log_det_weights).sum()).backward()
    direct = gradients(leaves)

    # The adjoint equation, from the noise at t = 0 back to the data at t = 1.
    trained = [leaf for name, leaf in leaves.items() if name != "x"]

    def augmented(t, state):
        z, a = state[0].detach().requires_grad_(True), state[1]
        f, trace = rates(t, z)
        total = (a * f).sum() + (log_det_weights * trace).sum()
        found = torch.autograd.grad(total, [z, *trained], allow_unused=True)
        zeros = [torch.zeros_like(v) if g is None else g for v, g in zip([z, *trained], found)]
        return (f.detach(), *[-g for g in zeros])

    state = (y.detach(), weights, *[torch.zeros_like(v) for v in trained])
    for k in range(steps):
        state = step(augmented, k / steps, 1 / steps, state)
    names = [name for name in leaves if name != "x"]
    adjoint = {"x": tensor(state[1]), **{name: tensor(value) for name, value in zip(names, state[2:])}}

    fine_y, fine_log_det = (value.detach() for value in solved(fine))
    coarser = solved(fine // 2)
    assert (fine_y - coarser[0]).abs().max() < 1e-8 and (fine_log_det - coarser[1]).abs().max() < 1e-8
    return {
        "name": name,
        "options": {"features": features, "hidden": list(hidden), "time": layers, "activation": activation,
                    "contextFeatures": context},
        "steps": steps,
        "params": tensors(params),
        "x": tensor(x),
        **({"rows": tensor(rows)} if context else {}),
        "weights": tensor(weights),
        "logDetWeights": tensor(log_det_weights),
        "y": tensor(y),
        "logDet": tensor(log_det),
        "direct": direct,
        "adjoint": adjoint,
        "solution": {"y": tensor(fine_y), "logDet": tensor(fine_log_det)},
    }


write(
    "continuous",
    "dz/dt = f(z, t) from the data at t = 1 to t = 0 by so many steps of Runge-Kutta 4, trace by vector-Jacobian products. direct, adjoint: "
    "gradients of sum(weights*y) + sum(logDetWeights*logDet) through the steps, and by as many steps of the adjoint equation. solution: by "
    "400 steps, which half as many change by less than 1e-8.",
    [
        case("concatsquash, two layers, context", 1001, 3, [5, 4], "concatsquash", "tanh", context=2),
        case("concat, one layer", 1002, 2, [6], "concat", "softplus"),
        case("concat, three layers, swish", 1003, 3, [4, 3, 5], "concat", "swish"),
    ],
)
