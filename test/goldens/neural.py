"""Neural autoregressive flows (DSF, DDSF), block NAF, mixtures of logistics and Bernstein polynomials: y, log-slopes, and gradients of -mean log p.

The slopes are autograd's derivatives of y, not a formula: sums of sigmoids by softmax and sigmoid, their logit by log - log1p.
"""

import math

import torch
import torch.nn.functional as F

from golden import Made, generator, gradients, normal, standard_normal_log_prob, tensor, tensors, write


def logit(s):
    return torch.log(s) - torch.log1p(-s)


def dsf(x, p, hidden, layers, least):
    """x [M], p [M, P] -> y [M]. Huang et al. 2018, eq. 8 and 10-11; a layer's parameters: a, b, w (out x K), u (K x in)."""
    h, at = x[:, None], 0
    for layer in range(layers):
        out = 1 if layer == layers - 1 else hidden
        take = lambda *shape: p[:, at:at + math.prod(shape)].unflatten(1, shape)
        a, at = F.softplus(take(hidden)) + least, at + hidden
        b, at = take(hidden), at + hidden
        w, at = torch.softmax(take(out, hidden), dim=-1), at + out * hidden
        z = h
        if layer > 0:
            u, at = torch.softmax(take(hidden, hidden), dim=-1), at + hidden * hidden
            z = (u @ h[:, :, None])[:, :, 0]
        s = (w @ torch.sigmoid(a * z + b)[:, :, None])[:, :, 0]
        h = logit(s)
    assert at == p.shape[1]
    return h[:, 0]


def bernstein(x, p, degree, bound, least):
    steps = (least + (1 - least) * F.softplus(p[:, 1:] + math.log(math.e - 1))) * 2 * bound / degree
    theta = torch.cumsum(torch.cat([p[:, :1] - bound, steps], dim=1), dim=1)
    t = (x + bound) / (2 * bound)
    assert t.min() > 0 and t.max() < 1
    return sum(math.comb(degree, k) * t**k * (1 - t)**(degree - k) * theta[:, k] for k in range(degree + 1))


def logistic_mixture(x, p, components, bound):
    """Ho et al. 2019, eq. 9-12; a number's parameters: log-scale, shift, then weights, means and log-scales of the logistics."""
    bounded = lambda raw: bound * torch.tanh(raw / bound)
    logits, means, scales = p[:, 2:].unflatten(1, (3, components)).unbind(1)
    cdf = (torch.softmax(logits, dim=1) * torch.sigmoid((x[:, None] - means) * torch.exp(-bounded(scales)))).sum(1)
    return torch.exp(bounded(p[:, 0])) * logit(cdf) + p[:, 1]


def slopes(y, x):
    """dy_i/dx_i of numbers that do not depend on each other."""
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]


def naf(name, seed, family, per_feature, function, features=3, n=7, context=0):
    gen = generator(seed)
    made = Made(gen, features, per_feature, [9], activation="tanh", context=context,
                lowest_degree=0 if context else 1, scale=0.5)
    inputs = {"x": normal(gen, n, features), **({"context": normal(gen, n, context)} if context else {})}
    for value in inputs.values():
        value.requires_grad_(True)
    params = made(inputs["x"], inputs.get("context")).reshape(n * features, per_feature)
    # The numbers as leaves of their own: the slope is the derivative with the parameters held fixed.
    numbers = inputs["x"].reshape(-1)
    y = function(numbers, params)
    own = numbers.detach().clone().requires_grad_(True)
    log_slope = torch.log(slopes(function(own, params), own)) + 0 * numbers
    # The gradient by x through the slope: d log f'(x)/dx at fixed parameters.
    bend = torch.autograd.grad(log_slope.sum(), own, create_graph=True)[0].detach()
    log_slope = log_slope + bend * (numbers - numbers.detach())
    y, log_det = y.reshape(n, features), log_slope.reshape(n, features).sum(1)
    log_prob = standard_normal_log_prob(y) + log_det
    loss = -log_prob.mean()
    loss.backward()
    return {
        "name": name, "seed": seed, "family": family,
        "config": {"features": features, "hidden": [9], "contextFeatures": context, "activation": "tanh"},
        "params": tensors(made.params), "inputs": tensors(inputs),
        "outputs": {"noise": tensor(y), "logDet": tensor(log_det), "logProb": tensor(log_prob)},
        "gradients": {"params": gradients(made.params), "inputs": gradients(inputs)},
    }


def block_naf(name, seed, features=3, hidden=(2, 4), n=7):
    """De Cao et al. 2019, with the gated connection of their code; the Jacobian's diagonal by autograd."""
    gen = generator(seed)
    widths = [1, *hidden, 1]
    params = {"gate": normal(gen, 1)}
    for k, (before, units) in enumerate(zip(widths, widths[1:])):
        params[f"layers.{k}.weight"] = normal(gen, features * units, features * before, scale=0.7)
        params[f"layers.{k}.logScale"] = normal(gen, features * units, scale=0.4)
        params[f"layers.{k}.bias"] = normal(gen, features * units, scale=0.4)
    x = normal(gen, n, features)
    for value in [*params.values(), x]:
        value.requires_grad_(True)

    def forward(x):
        h = x
        for k, (before, units) in enumerate(zip(widths, widths[1:])):
            block = lambda count: torch.arange(features).repeat_interleave(count)
            rows, cols = block(units)[:, None], block(before)[None, :]
            raw = params[f"layers.{k}.weight"]
            v = torch.exp(raw) * (rows == cols) + raw * (cols < rows)
            weight = torch.exp(params[f"layers.{k}.logScale"])[:, None] * v / v.norm(dim=1, keepdim=True)
            h = h @ weight.T + params[f"layers.{k}.bias"]
            if k + 2 < len(widths):
                h = torch.tanh(h)
        share = torch.sigmoid(params["gate"])
        return share * h + (1 - share) * x

    y = forward(x)
    diagonal = [torch.autograd.grad(y[:, i].sum(), x, create_graph=True)[0] for i in range(features)]
    for i, row in enumerate(diagonal):
        assert (row[:, i + 1:] == 0).all() and (row[:, i] > 0).all()
    log_det = sum(torch.log(diagonal[i][:, i]) for i in range(features))
    log_prob = standard_normal_log_prob(y) + log_det
    (-log_prob.mean()).backward()
    return {
        "name": name, "seed": seed, "config": {"features": features, "hidden": list(hidden)},
        "params": tensors(params), "inputs": tensors({"x": x}),
        "outputs": {"noise": tensor(y), "logDet": tensor(log_det), "logProb": tensor(log_prob)},
        "gradients": {"params": gradients(params), "inputs": gradients({"x": x})},
    }


ABOUT = ("One MADE with natural order and tanh, P parameters a dimension side by side, and an increasing function of each dimension "
         "(family), or a block autoregressive network; base: standard normal; gradients of -mean log p.")

if __name__ == "__main__":
    write("neural", ABOUT, [
        naf("dsf", 41, {"kind": "dsf", "hidden": 4}, 12, lambda x, p: dsf(x, p, 4, 1, 1e-3)),
        naf("dsf-context", 42, {"kind": "dsf", "hidden": 3, "leastSlope": 0.05}, 9, lambda x, p: dsf(x, p, 3, 1, 0.05), context=2),
        naf("ddsf", 43, {"kind": "dsf", "hidden": 3, "layers": 2}, 33, lambda x, p: dsf(x, p, 3, 2, 1e-3)),
        naf("bernstein", 44, {"kind": "bernstein", "degree": 5, "bound": 4}, 6, lambda x, p: bernstein(x, p, 5, 4.0, 1e-3)),
        naf("logistic-mixture", 46, {"kind": "logisticMixture", "components": 4}, 14,
            lambda x, p: logistic_mixture(x, p, 4, 5.0)),
        block_naf("block", 45),
    ])
