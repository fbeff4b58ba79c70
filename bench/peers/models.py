"""The models of the bench cases in plain PyTorch, as a careful user would write them. Sizes and definitions: bench/peers/README.md."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def standard_normal_log_prob(u):
    return -0.5 * (u * u).sum(dim=1) - 0.5 * u.shape[1] * math.log(2 * math.pi)


# ---- MAF ---------------------------------------------------------------------------------------


def sequential_degrees(width, features):
    return torch.arange(width) % max(features - 1, 1) + 1


class MaskedLinear(nn.Linear):
    def __init__(self, fan_in, fan_out, mask):
        super().__init__(fan_in, fan_out)
        self.register_buffer("mask", mask)
        self.frozen = None

    def forward(self, x):
        # Without gradients the masked weight is made once: a user who samples would do so too.
        weight = self.weight * self.mask if self.frozen is None else self.frozen
        return F.linear(x, weight, self.bias)

    def freeze(self):
        self.frozen = (self.weight * self.mask).detach()


class MaskedAffine(nn.Module):
    """A MADE with ReLU hidden layers and the map u = (x − mu)·exp(−a), a = tanh(raw)."""

    def __init__(self, features, hidden, reversed_order):
        super().__init__()
        degrees = torch.arange(1, features + 1)
        if reversed_order:
            degrees = degrees.flip(0)
        self.order = torch.argsort(degrees).tolist()
        layers, seen, fan_in = [], degrees, features
        for width in hidden:
            own = sequential_degrees(width, features)
            layers += [MaskedLinear(fan_in, width, (own[:, None] >= seen[None, :]).float()), nn.ReLU()]
            seen, fan_in = own, width
        mask = (degrees[:, None] > seen[None, :]).float()
        # (mu, raw) as two halves: a contiguous chunk each, which is the faster layout for PyTorch.
        layers.append(MaskedLinear(fan_in, 2 * features, torch.cat([mask, mask])))
        self.net = nn.Sequential(*layers)

    def forward(self, x):
        mu, raw = self.net(x).chunk(2, dim=1)
        a = torch.tanh(raw)
        return (x - mu) * torch.exp(-a), -a.sum(dim=1)

    def parameters_of(self, x):
        mu, raw = self.net(x).chunk(2, dim=1)
        return mu, torch.exp(torch.tanh(raw))

    def inverse(self, u):
        """D full passes: after pass i the i-th dimension of the order is known."""
        x = torch.zeros_like(u)
        for d in self.order:
            mu, scale = self.parameters_of(x)
            x[:, d] = u[:, d] * scale[:, d] + mu[:, d]
        return x


class Maf(nn.Module):
    def __init__(self, features, hidden, transforms):
        super().__init__()
        self.features = features
        self.transforms = nn.ModuleList(MaskedAffine(features, hidden, k % 2 == 1) for k in range(transforms))

    def forward(self, x):
        """log p(x) [N]."""
        log_det = torch.zeros(x.shape[0])
        for transform in self.transforms:
            x, ld = transform(x)
            log_det = log_det + ld
        return standard_normal_log_prob(x) + log_det

    def freeze(self):
        for module in self.modules():
            if isinstance(module, MaskedLinear):
                module.freeze()

    def sample(self, n):
        u = torch.randn(n, self.features)
        for transform in reversed(self.transforms):
            u = transform.inverse(u)
        return u


# ---- RealNVP -----------------------------------------------------------------------------------


class AffineCoupling(nn.Module):
    def __init__(self, features, hidden, swap):
        super().__init__()
        self.swap, half, layers, fan_in = swap, features // 2, [], features // 2
        for width in hidden:
            layers += [nn.Linear(fan_in, width), nn.ReLU()]
            fan_in = width
        self.net = nn.Sequential(*layers, nn.Linear(fan_in, 2 * half))

    def forward(self, x):
        first, second = x.chunk(2, dim=1)
        if self.swap:
            first, second = second, first
        shift, raw = self.net(first).chunk(2, dim=1)
        s = torch.tanh(raw)
        second = second * torch.exp(s) + shift
        halves = [second, first] if self.swap else [first, second]
        return torch.cat(halves, dim=1), s.sum(dim=1)


class RealNvp(nn.Module):
    def __init__(self, features, hidden, transforms):
        super().__init__()
        self.transforms = nn.ModuleList(AffineCoupling(features, hidden, k % 2 == 1) for k in range(transforms))

    def forward(self, x):
        log_det = torch.zeros(x.shape[0])
        for transform in self.transforms:
            x, ld = transform(x)
            log_det = log_det + ld
        return standard_normal_log_prob(x) + log_det


# ---- Glow --------------------------------------------------------------------------------------


class ActNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.log_scale = nn.Parameter(0.1 * torch.randn(channels))
        self.bias = nn.Parameter(0.1 * torch.randn(channels))

    def forward(self, x):
        y = x * torch.exp(self.log_scale)[None, :, None, None] + self.bias[None, :, None, None]
        return y, self.log_scale.sum() * (x.shape[2] * x.shape[3])


class InvertibleConv1x1(nn.Module):
    """W = P·L·(U + diag(sign·exp(log_s))), Glow section 3.2."""

    def __init__(self, channels):
        super().__init__()
        w = torch.linalg.qr(torch.randn(channels, channels))[0]
        p, lower, upper = torch.linalg.lu(w)
        s = torch.diagonal(upper)
        self.register_buffer("p", p)
        self.register_buffer("sign", torch.sign(s))
        self.register_buffer("below", torch.tril(torch.ones(channels, channels), -1))
        self.register_buffer("eye", torch.eye(channels))
        self.lower = nn.Parameter(lower)
        self.upper = nn.Parameter(torch.triu(upper, 1))
        self.log_s = nn.Parameter(torch.log(torch.abs(s)))

    def forward(self, x):
        lower = self.lower * self.below + self.eye
        upper = self.upper * self.below.T + torch.diag(self.sign * torch.exp(self.log_s))
        weight = self.p @ lower @ upper
        return F.conv2d(x, weight[:, :, None, None]), self.log_s.sum() * (x.shape[2] * x.shape[3])


class ConvCoupling(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels // 2, hidden, 3, padding=1), nn.ReLU(),
            nn.Conv2d(hidden, hidden, 1), nn.ReLU(),
            nn.Conv2d(hidden, channels, 3, padding=1))
        # Not zero as in the paper: a zero last layer would let a compiler or the caches see nothing but zeros.
        nn.init.normal_(self.net[-1].weight, std=0.01)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        first, second = x.chunk(2, dim=1)
        shift, raw = self.net(first).chunk(2, dim=1)
        scale = torch.sigmoid(raw + 2.0)
        second = (second + shift) * scale
        return torch.cat([first, second], dim=1), F.logsigmoid(raw + 2.0).sum(dim=(1, 2, 3))


def squeeze(x):
    n, c, h, w = x.shape
    x = x.reshape(n, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4)
    return x.reshape(n, 4 * c, h // 2, w // 2)


class Glow(nn.Module):
    def __init__(self, channels, levels, steps, hidden):
        super().__init__()
        self.levels = nn.ModuleList()
        for level in range(levels):
            channels *= 4
            self.levels.append(nn.ModuleList(
                nn.ModuleList([ActNorm(channels), InvertibleConv1x1(channels), ConvCoupling(channels, hidden)])
                for _ in range(steps)))
            if level < levels - 1:
                channels //= 2

    def forward(self, x):
        """log p of images [N, C, H, W] → [N]."""
        log_p = torch.zeros(x.shape[0])
        for index, steps in enumerate(self.levels):
            x = squeeze(x)
            for step in steps:
                for layer in step:
                    x, ld = layer(x)
                    log_p = log_p + ld
            if index < len(self.levels) - 1:
                x, out = x.chunk(2, dim=1)
                log_p = log_p + standard_normal_log_prob(out.flatten(1))
        return log_p + standard_normal_log_prob(x.flatten(1))
