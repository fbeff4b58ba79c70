"""A neural autoregressive flow (Huang et al. 2018, DSF): training steps, and sampling by a pass a dimension with bisection in it."""

import torch
import torch.nn.functional as F
from torch import nn

import models

CASES = ["naf:step", "naf:logProb", "naf:sample64"]
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

    def inverse(self, u, low=-1000.0, high=1000.0, steps=32):
        """D full passes; after each the one dimension that is due, by bisection to 5e-7."""
        x = torch.zeros_like(u)
        for d in self.order:
            params = self.parameters_of(x)[:, d]
            lower, upper = torch.full_like(u[:, d], low), torch.full_like(u[:, d], high)
            for _ in range(steps):
                middle = 0.5 * (lower + upper)
                below = sigmoidal(middle, params)[0] < u[:, d]
                lower, upper = torch.where(below, middle, lower), torch.where(below, upper, middle)
            x[:, d] = 0.5 * (lower + upper)
        return x


def build():
    model = models.Maf(FEATURES, HIDDEN, 0)
    model.transforms = nn.ModuleList(NeuralAutoregressive(FEATURES, HIDDEN, k % 2 == 1) for k in range(TRANSFORMS))
    return model, torch.randn(BATCH, FEATURES)
