"""Splines, planar, radial and Sylvester maps: both directions where closed, gradients by autograd."""

import torch
import torch.nn.functional as F

from golden import generator, gradients, normal, tensor, tensors, write

LEAST = 1e-3
SHIFT = torch.log(torch.expm1(torch.tensor(1.0 - LEAST)))


def leaves(values):
    return {name: value.clone().requires_grad_(True) for name, value in values.items()}


def knots(parts, bound):
    inner = -bound + 2 * bound * torch.cumsum(parts, dim=-1)[..., :-1]
    return torch.cat([torch.full_like(inner[..., :1], -bound), inner, torch.full_like(inner[..., :1], bound)], dim=-1)


def fractions(raw):
    return LEAST + (1 - LEAST * raw.shape[-1]) * F.softmax(raw, dim=-1)


def opened(raw):
    return LEAST + F.softplus(raw + SHIFT)


def slopes_at_knots(raw, tails, end=None):
    if tails == "linear":
        ends = torch.ones_like(raw[..., :1]) if end is None else end
        return torch.cat([ends, opened(raw), ends], dim=-1)
    return opened(raw if tails == "learned" else torch.cat([raw, raw[..., :1]], dim=-1))


def spline(kind, tails, bins, bound, x, params):
    """y and log dy/dx, element by element; params [.., P]."""
    if kind == "linear":
        widths, heights, v = torch.full_like(params, 1 / bins), fractions(params), None
    else:
        widths = fractions(params[..., :bins])
    if kind == "quadratic":
        raw = params[..., bins:]
        area = lambda u: (widths * (u[..., :-1] + u[..., 1:]) / 2).sum(-1, keepdim=True)
        if tails == "linear":
            inner = area(F.pad(opened(raw), (1, 1)))
            end = inner / (1 - (widths[..., :1] + widths[..., -1:]) / 2)
            u = slopes_at_knots(raw, tails, end)
        else:
            u = slopes_at_knots(raw, tails)
        v = u / area(u)
        heights = widths * (v[..., :-1] + v[..., 1:]) / 2
    elif kind != "linear":
        heights = fractions(params[..., bins:2 * bins])
    xs, ys = knots(widths, bound), knots(heights, bound)
    w, h = xs.diff(dim=-1), ys.diff(dim=-1)
    if kind == "rationalQuadratic":
        v = slopes_at_knots(params[..., 2 * bins:], tails)
    if kind == "cubic":
        s = h / w
        def steffen(sa, sb, wa, wb):
            return torch.minimum(torch.minimum(2 * sa, 2 * sb), (sa * wb + sb * wa) / (wa + wb))
        inner = steffen(s[..., :-1], s[..., 1:], w[..., :-1], w[..., 1:])
        first, last = 3 * s[..., :1], 3 * s[..., -1:]
        if tails == "circular":
            first = last = steffen(s[..., -1:], s[..., :1], w[..., -1:], w[..., :1])
        elif tails == "learned":
            first, last = first * torch.sigmoid(params[..., -2:-1]), last * torch.sigmoid(params[..., -1:])
        else:
            first, last = first.clamp(max=1), last.clamp(max=1)
        v = torch.cat([first, inner, last], dim=-1)
    turns = 2 * bound * torch.floor((x + bound) / (2 * bound)) if tails == "circular" else torch.zeros_like(x)
    at = (x - turns).clamp(-bound, bound)
    bin = torch.searchsorted(xs[..., 1:-1].contiguous().detach(), at[..., None].detach(), right=True)
    take = lambda values, step=0: values.gather(-1, bin + step)[..., 0]
    x0, y0, wk, hk = take(xs), take(ys), take(w), take(h)
    t, s = (at - x0) / wk, hk / wk
    if kind == "linear":
        rise, slope = hk * t, s
    else:
        a, b = take(v), take(v, 1)
        if kind == "quadratic":
            rise, slope = wk * (a * t + (b - a) * t * t / 2), a * (1 - t) + b * t
        elif kind == "rationalQuadratic":
            q = t * (1 - t)
            d = s + (a + b - 2 * s) * q
            rise = hk * (s * t * t + a * q) / d
            slope = s * s * (b * t * t + 2 * s * q + a * (1 - t) ** 2) / (d * d)
        else:
            c2, c3 = 3 * s - 2 * a - b, a + b - 2 * s
            rise, slope = wk * (a * t + c2 * t * t + c3 * t ** 3), a + 2 * c2 * t + 3 * c3 * t * t
    y = y0 + rise + turns + (slope * (x - at) if tails == "learned" else 0)
    if tails != "linear":
        return y, torch.log(slope)
    inside = x.abs() <= bound
    return torch.where(inside, y, x), torch.where(inside, torch.log(slope), torch.zeros_like(x))


COUNTS = {"rationalQuadratic": (2, {"linear": -1, "learned": 1, "circular": 0}),
          "quadratic": (1, {"linear": -1, "learned": 1, "circular": 0})}


def count_of(kind, tails, bins):
    if kind == "linear":
        return bins
    if kind == "cubic":
        return 2 * bins + (2 if tails == "learned" else 0)
    each, slopes = COUNTS[kind]
    return (each + 1) * bins + slopes[tails]


def spline_case(seed, kind, tails, bins, rows=6, features=3, bound=2.5):
    gen = generator(seed)
    count = count_of(kind, tails, bins)
    own = leaves({"x": normal(gen, rows, features, scale=2.0), "params": normal(gen, rows, features * count)})
    y, log = spline(kind, tails, bins, bound, own["x"], own["params"].reshape(rows, features, count))
    weights, log_weights = normal(gen, rows, features), normal(gen, rows)
    ((y * weights).sum() + (log.sum(1) * log_weights).sum()).backward()
    return {"name": f"spline {kind} {tails} {bins}", "seed": seed, "type": "spline",
            "options": {"kind": kind, "tails": tails, "bins": bins, "bound": bound},
            "inputs": tensors(own), "outputs": {"y": tensor(y), "logDet": tensor(log.sum(1))},
            "outputWeights": {"y": tensor(weights), "logDet": tensor(log_weights)}, "gradients": gradients(own)}


def planar(x, p, transfer):
    """Rezende and Mohamed 2015, eqs. 10–12 and A.1."""
    d = x.shape[1]
    u, w, b = p[:, :d], p[:, d:2 * d], p[:, 2 * d:]
    wu = (w * u).sum(1, keepdim=True)
    u = u + (F.softplus(wu) - 1 - wu) * w / (w * w).sum(1, keepdim=True)
    a = (x * w).sum(1, keepdim=True) + b
    h = torch.tanh(a) if transfer == "tanh" else F.leaky_relu(a, 0.2)
    slope = 1 - h * h if transfer == "tanh" else torch.where(a > 0, 1.0, 0.2)
    return x + u * h, torch.log(1 + slope * (u * w).sum(1, keepdim=True))[:, 0]


def radial(x, p):
    """Eqs. 13–14 and A.2."""
    d = x.shape[1]
    alpha = F.softplus(p[:, d:d + 1])
    beta = F.softplus(p[:, d + 1:]) - alpha
    delta = x - p[:, :d]
    r = delta.norm(dim=1, keepdim=True)
    h = 1 / (alpha + r)
    log = (d - 1) * torch.log(1 + beta * h) + torch.log(1 + beta * h - beta * r * h * h)
    return x + beta * h * delta, log[:, 0]


def reflections(vectors, d):
    q = torch.eye(d)
    for v in vectors:
        q = q @ (torch.eye(d) - 2 * torch.outer(v, v) / (v @ v))
    return q


def sylvester(x, p, basis, m, k):
    """van den Berg et al. 2018, eqs. 8 and 13, sample by sample with full matrices."""
    d, ys, logs = x.shape[1], [], []
    for row, own in zip(x, p):
        full, raw, b = own[:m * m].reshape(m, m), own[m * m:m * m + 2 * m], own[m * m + 2 * m:m * m + 3 * m]
        r, s = full.triu(1) + torch.diag(torch.tanh(raw[:m])), full.T.triu(1) + torch.diag(torch.tanh(raw[m:]))
        q = (torch.eye(d) if basis == "triangular" else reflections(own[m * m + 3 * m:].reshape(k, d), d))[:, :m]
        a = s @ (q.T @ row) + b
        ys.append(row + q @ (r @ torch.tanh(a)))
        jacobian = torch.eye(m) + torch.diag(1 - torch.tanh(a) ** 2) @ s @ r
        logs.append(torch.linalg.slogdet(jacobian)[1])
    return torch.stack(ys), torch.stack(logs)


def map_case(seed, name, d, count, run, config, rows=5):
    """The parameters of each sample are a row of `params`, as a linear context network gives them."""
    gen = generator(seed)
    own = leaves({"x": normal(gen, rows, d), "params": normal(gen, rows, count)})
    y, log = run(own["x"], own["params"])
    weights, log_weights = normal(gen, rows, d), normal(gen, rows)
    ((y * weights).sum() + (log * log_weights).sum()).backward()
    return {"name": name, "seed": seed, "type": "amortized", "config": config,
            "inputs": tensors(own), "outputs": {"y": tensor(y), "logDet": tensor(log)},
            "outputWeights": {"y": tensor(weights), "logDet": tensor(log_weights)}, "gradients": gradients(own)}


kinds = [(kind, tails) for kind in ("rationalQuadratic", "quadratic", "cubic") for tails in ("linear", "learned", "circular")]

write(
    "splines",
    "spline: y and logDet of x, params [N, D*P], gradients of sum(y*outputWeights.y) + sum(logDet*outputWeights.logDet); the "
    "identity (linear tails), the slope of the end (learned) or the period (circular) outside of [-bound, bound]. amortized: "
    "the same of a planar, radial or Sylvester map whose numbers are a row of params a sample.",
    [
        *[spline_case(400 + k, kind, tails, 2 + k % 4) for k, (kind, tails) in enumerate(kinds)],
        spline_case(410, "linear", "linear", 5),
        spline_case(411, "rationalQuadratic", "linear", 8),
        map_case(420, "planar tanh", 4, 9, lambda x, p: planar(x, p, "tanh"), {"kind": "planar", "transfer": "tanh"}),
        map_case(421, "planar leaky", 3, 7, lambda x, p: planar(x, p, "leaky"), {"kind": "planar", "transfer": "leakyRelu"}),
        map_case(422, "radial", 4, 6, radial, {"kind": "radial"}),
        map_case(423, "sylvester orthogonal", 4, 4 + 6 + 8, lambda x, p: sylvester(x, p, "orthogonal", 2, 2),
                 {"kind": "sylvester", "basis": "orthogonal", "columns": 2}),
        map_case(424, "sylvester householder", 3, 9 + 9 + 6, lambda x, p: sylvester(x, p, "householder", 3, 2),
                 {"kind": "sylvester", "basis": "householder", "reflections": 2}),
        map_case(425, "sylvester triangular", 4, 16 + 12, lambda x, p: sylvester(x, p, "triangular", 4, 0),
                 {"kind": "sylvester", "basis": "triangular"}),
    ],
)
