"""A neural spline flow (Durkan et al. 2019, RQ-NSF AR): training steps, and sampling by a pass a dimension."""

import math

import torch
import torch.nn.functional as F
from torch import nn

import models

CASES = ["nsf:step", "nsf:logProb", "nsf:sample1000"]
FEATURES, HIDDEN, TRANSFORMS, BINS, BATCH, BOUND, LEAST = 63, [256, 256], 5, 8, 256, 3.0, 1e-3
EACH = 3 * BINS - 1


def knots(raw):
    parts = LEAST + (1 - LEAST * BINS) * F.softmax(raw, dim=-1)
    inner = -BOUND + 2 * BOUND * torch.cumsum(parts, dim=-1)[..., :-1]
    return torch.cat([torch.full_like(inner[..., :1], -BOUND), inner, torch.full_like(inner[..., :1], BOUND)], dim=-1)


def spline(at, params, inverse=False):
    """y and log dy/dx of at [..] with params [.., 3·K − 1], or x and log dx/dy; the identity outside of the box."""
    inside = (at >= -BOUND) & (at <= BOUND)
    v = at.clamp(-BOUND, BOUND)
    x, y = knots(params[..., :BINS]), knots(params[..., BINS:2 * BINS])
    shift = math.log(math.expm1(1 - LEAST))
    slopes = F.pad(LEAST + F.softplus(params[..., 2 * BINS:] + shift), (1, 1), value=1.0)
    bin = torch.searchsorted((y if inverse else x)[..., 1:-1].contiguous(), v[..., None], right=True)
    take = lambda values, step=0: values.gather(-1, bin + step)[..., 0]
    x0, y0, d0, d1 = take(x), take(y), take(slopes), take(slopes, 1)
    w, h = take(x, 1) - x0, take(y, 1) - y0
    s = h / w
    total = d0 + d1 - 2 * s
    if inverse:
        rise = v - y0
        a, b, c = h * (s - d0) + rise * total, h * d0 - rise * total, -s * rise
        t = 2 * c / (-b - torch.sqrt((b * b - 4 * a * c).clamp(min=0)))
        out = x0 + t * w
    else:
        t = (v - x0) / w
        q = t * (1 - t)
        out = y0 + h * (s * t * t + d0 * q) / (s + total * q)
    q = t * (1 - t)
    log_slope = torch.log(s * s * (d1 * t * t + 2 * s * q + d0 * (1 - t) ** 2)) - 2 * torch.log(s + total * q)
    log_slope = -log_slope if inverse else log_slope
    return torch.where(inside, out, at), torch.where(inside, log_slope, torch.zeros_like(at))


class AutoregressiveSpline(models.MaskedAffine):
    """The MADE of MaskedAffine with 3·K − 1 outputs a dimension, side by side."""

    def __init__(self, features, hidden, reversed_order):
        super().__init__(features, hidden, reversed_order)
        last = self.net[-1]
        mask = last.mask[:features].repeat_interleave(EACH, dim=0)
        self.net[-1] = models.MaskedLinear(last.in_features, EACH * features, mask)

    def parameters_of(self, x):
        return self.net(x).unflatten(1, (x.shape[1], EACH))

    def forward(self, x):
        y, log_slope = spline(x, self.parameters_of(x))
        return y, log_slope.sum(dim=1)

    def inverse(self, u):
        """D full passes; after each the one dimension that is due."""
        x = torch.zeros_like(u)
        for d in self.order:
            x[:, d] = spline(u[:, d], self.parameters_of(x)[:, d], inverse=True)[0]
        return x


def build():
    model = models.Maf(FEATURES, HIDDEN, 0)
    model.transforms = nn.ModuleList(AutoregressiveSpline(FEATURES, HIDDEN, k % 2 == 1) for k in range(TRANSFORMS))
    return model, torch.randn(BATCH, FEATURES)
