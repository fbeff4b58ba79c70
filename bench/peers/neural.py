"""Flows of increasing functions: neural autoregressive (Huang et al. 2018, DSF), unconstrained monotonic networks (Wehenkel, Louppe 2019),
block neural autoregressive (De Cao et al. 2019) and Flow++ (Ho et al. 2019). Training steps, and sampling by a pass a dimension with bisection in
it: of a block network, a pass an evaluation."""

import math

import torch
import torch.nn.functional as F
from torch import nn

import models

CASES = ["naf:step", "naf:logProb", "naf:sample64", "umnn:sample64", "bnaf:sample64", "flowpp:step"]
NAMES = ["naf", "umnn", "bnaf", "flowpp"]
FEATURES, HIDDEN, TRANSFORMS, SIGMOIDS, BATCH = 63, [256, 256], 3, 8, 256


def sigmoidal(x, params):
    """y and log dy/dx of x [..] with params [.., 3·K]: slopes, shifts, weights; log-sum-exp all through."""
    raw_a, b, raw_w = params.chunk(3, dim=-1)
    a = F.softplus(raw_a) + 1e-3
    log_w = F.log_softmax(raw_w, dim=-1)
    c = a * x[..., None] + b
    up, down = F.logsigmoid(c), F.logsigmoid(-c)
    s, rest = torch.logsumexp(log_w + up, dim=-1), torch.logsumexp(log_w + down, dim=-1)
    slope = torch.logsumexp(log_w + up + down + torch.log(a), dim=-1)
    return s - rest, slope - s - rest


class NeuralAutoregressive(models.MaskedAffine):
    """The MADE of MaskedAffine with 3·K outputs a dimension, side by side."""

    def __init__(self, features, hidden, reversed_order):
        super().__init__(features, hidden, reversed_order)
        last = self.net[-1]
        mask = last.mask[:features].repeat_interleave(3 * SIGMOIDS, dim=0)
        self.net[-1] = models.MaskedLinear(last.in_features, 3 * SIGMOIDS * features, mask)

    def forward(self, x):
        y, log_slope = sigmoidal(x, self.net(x).unflatten(1, (x.shape[1], 3 * SIGMOIDS)))
        return y, log_slope.sum(dim=1)

    def parameters_of(self, x):
        return self.net(x).unflatten(1, (x.shape[1], 3 * SIGMOIDS))

    def inverse(self, u):
        """D full passes; after each the one dimension that is due."""
        x = torch.zeros_like(u)
        for d in self.order:
            params = self.parameters_of(x)[:, d]
            x[:, d] = bisect(lambda at: sigmoidal(at, params)[0], u[:, d])
        return x


def bisect(f, y, low=-1000.0, high=1000.0, steps=32):
    """x with f(x) = y, to 5e-7."""
    lower, upper = torch.full_like(y, low), torch.full_like(y, high)
    for _ in range(steps):
        middle = 0.5 * (lower + upper)
        below = f(middle) < y
        lower, upper = torch.where(below, middle, lower), torch.where(below, upper, middle)
    return 0.5 * (lower + upper)


class MonotonicNetwork(models.MaskedAffine):
    """The MADE of MaskedAffine with an offset and an embedding of 8 a dimension; the integral by Clenshaw and Curtis at 25 nodes."""

    def __init__(self, features, hidden, reversed_order, embedding=8, quadrature=24):
        super().__init__(features, hidden, reversed_order)
        self.each = 1 + embedding
        last = self.net[-1]
        mask = last.mask[:features].repeat_interleave(self.each, dim=0)
        self.net[-1] = models.MaskedLinear(last.in_features, self.each * features, mask)
        self.integrand = nn.Sequential(nn.Linear(self.each, 50), nn.Tanh(), nn.Linear(50, 50), nn.Tanh(), nn.Linear(50, 1))
        k = torch.arange(quadrature + 1)
        j = torch.arange(1, quadrature // 2 + 1)
        twice = torch.where(j == quadrature // 2, 1.0, 2.0) / (4 * j * j - 1)
        weights = 1 - (twice * torch.cos(2 * math.pi * j * k[:, None] / quadrature)).sum(dim=1)
        weights[[0, -1]] /= 2
        self.register_buffer("nodes", (torch.cos(math.pi * k / quadrature) + 1) / 2)
        self.register_buffer("weights", weights / quadrature)

    def parameters_of(self, x):
        return self.net(x).unflatten(1, (x.shape[1], self.each))

    def value(self, x, params):
        at = (x[..., None] * self.nodes)[..., None]
        h = params[..., None, 1:].expand(*at.shape[:-1], -1)
        g = 1e-3 + F.softplus(self.integrand(torch.cat([at, h], dim=-1))[..., 0] + math.log(math.e - 1))
        return params[..., 0] + x * (g * self.weights).sum(dim=-1)

    def inverse(self, u):
        x = torch.zeros_like(u)
        for d in self.order:
            params = self.parameters_of(x)[:, d]
            x[:, d] = bisect(lambda at: self.value(at, params), u[:, d])
        return x


class BlockNetwork(nn.Module):
    """One network of block triangular weights: 8 and 8 units a dimension, tanh, and a gate of a half around it."""

    def __init__(self, features, reversed_order, units=(8, 8)):
        super().__init__()
        self.order = list(range(features))[:: -1 if reversed_order else 1]
        widths, weights, biases = [1, *units, 1], [], []
        for before, own in zip(widths, widths[1:]):
            row, col = torch.arange(features * own) // own, torch.arange(features * before) // before
            raw = torch.randn(len(row), len(col)) / math.sqrt(len(col))
            v = torch.where(row[:, None] == col, torch.exp(raw), torch.where(row[:, None] > col, raw, 0.0))
            weights.append(nn.Parameter(torch.rand(len(row), 1) * v / v.norm(dim=1, keepdim=True)))
            biases.append(nn.Parameter(0.1 * torch.randn(len(row))))
        self.weights, self.biases = nn.ParameterList(weights), nn.ParameterList(biases)

    def value(self, x):
        h = x
        for weight, bias in list(zip(self.weights, self.biases))[:-1]:
            h = torch.tanh(F.linear(h, weight, bias))
        return 0.5 * (F.linear(h, self.weights[-1], self.biases[-1]) + x)

    def inverse(self, u):
        """The dimensions one after the other, a pass of the network an evaluation."""
        u = u[:, self.order]
        x = torch.zeros_like(u)
        for d in range(u.shape[1]):

            def f(at):
                x[:, d] = at
                return self.value(x)[:, d]

            x[:, d] = bisect(f, u[:, d])
        return x[:, self.order]


class MixtureCoupling(nn.Module):
    """Flow++: the distribution function of a mixture of logistics, through a logit, scaled and shifted; halves alternate."""

    def __init__(self, features, hidden, swap, components=8, bound=5.0):
        super().__init__()
        self.half, self.swap, self.each, self.bound = features // 2, swap, 2 + 3 * components, bound
        layers, before = [], self.half
        for width in hidden:
            layers += [nn.Linear(before, width), nn.ReLU()]
            before = width
        self.net = nn.Sequential(*layers, nn.Linear(before, self.each * (features - self.half)))

    def bounded(self, raw):
        return self.bound * torch.tanh(raw / self.bound)

    def forward(self, x):
        first, second = x.split([self.half, x.shape[1] - self.half], dim=1)
        if self.swap:
            first, second = second, first
        params = self.net(first).unflatten(1, (second.shape[1], self.each))
        a, b = self.bounded(params[..., 0]), params[..., 1]
        logits, mu, raw_s = params[..., 2:].chunk(3, dim=-1)
        s, log_pi = self.bounded(raw_s), F.log_softmax(logits, dim=-1)
        c = (second[..., None] - mu) * torch.exp(-s)
        up, down = F.logsigmoid(c), F.logsigmoid(-c)
        low, rest = torch.logsumexp(log_pi + up, dim=-1), torch.logsumexp(log_pi + down, dim=-1)
        slope = torch.logsumexp(log_pi + up + down - s, dim=-1)
        y = torch.exp(a) * (low - rest) + b
        parts = (y, first) if self.swap else (first, y)
        return torch.cat(parts, dim=1), (a + slope - low - rest).sum(dim=1)


def build(name):
    if name == "flowpp":
        model = models.Maf(64, [], 0)
        model.transforms = nn.ModuleList(MixtureCoupling(64, HIDDEN, k % 2 == 1) for k in range(8))
        return model, torch.randn(BATCH, 64)
    model = models.Maf(FEATURES, HIDDEN, 0)
    make = {
        "naf": lambda turned: NeuralAutoregressive(FEATURES, HIDDEN, turned),
        "umnn": lambda turned: MonotonicNetwork(FEATURES, HIDDEN, turned),
        "bnaf": lambda turned: BlockNetwork(FEATURES, turned),
    }[name]
    model.transforms = nn.ModuleList(make(k % 2 == 1) for k in range(TRANSFORMS))
    return model, torch.randn(BATCH, FEATURES)
