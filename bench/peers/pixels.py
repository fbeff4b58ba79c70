"""PixelCNN, plain and gated (van den Oord et al. 2016a, 2016b), and the Diagonal BiLSTM: training steps, and sampling by a whole pass a
pixel as it is written without caches."""

import torch
import torch.nn.functional as F
from torch import nn

from step import training_step


class MaskedConv2d(nn.Conv2d):
    """A convolution whose kernel is multiplied by a mask: raster order, with the pixel itself (B) or without (A)."""

    def __init__(self, kind, inputs, outputs, kernel):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        mask = torch.ones(kernel, kernel)
        mask[kernel // 2, kernel // 2 + (kind == "B"):] = 0
        mask[kernel // 2 + 1:] = 0
        self.register_buffer("mask", mask)

    def forward(self, x):
        return self._conv_forward(x, self.weight * self.mask, self.bias)


class Block(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.net = nn.Sequential(nn.ReLU(), nn.Conv2d(2 * h, h, 1), nn.ReLU(), MaskedConv2d("B", h, h, 3), nn.ReLU(),
                                 nn.Conv2d(h, 2 * h, 1))

    def forward(self, x):
        return x + self.net(x)


class Likelihood(nn.Module):
    def forward(self, x):
        logits = self.logits(x)
        return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=(1, 2, 3))


class PixelCnn(Likelihood):
    def __init__(self, layers=7, h=64):
        super().__init__()
        self.logits = nn.Sequential(MaskedConv2d("A", 1, 2 * h, 7), *[Block(h) for _ in range(layers)], nn.ReLU(),
                                    nn.Conv2d(2 * h, 2 * h, 1), nn.ReLU(), nn.Conv2d(2 * h, 1, 1))


class GatedLayer(nn.Module):
    """Kernels of the rows above and of the pixels to the left alone, with padding: no masks to multiply."""

    def __init__(self, inputs, h, kernel, first):
        super().__init__()
        self.reach, self.first = kernel // 2, first
        self.vertical = nn.Conv2d(inputs, 2 * h, (self.reach + (not first), kernel))
        self.across = nn.Conv2d(2 * h, 2 * h, 1, bias=False)
        self.horizontal = nn.Conv2d(inputs, 2 * h, (1, self.reach + (not first)))
        self.out = nn.Conv2d(h, h, 1)

    def forward(self, v, h):
        r = self.reach
        v = F.pad(v, (r, r, r, 0))
        below = self.vertical(v[:, :, :-1] if self.first else v)
        left = F.pad(h, (r, 0))
        a, b = (self.horizontal(left[..., :-1] if self.first else left) + self.across(below)).chunk(2, dim=1)
        out = self.out(torch.tanh(a) * torch.sigmoid(b))
        c, d = below.chunk(2, dim=1)
        return torch.tanh(c) * torch.sigmoid(d), out if self.first else h + out


class GatedPixelCnn(Likelihood):
    def __init__(self, layers=7, h=64):
        super().__init__()
        self.layers = nn.ModuleList([GatedLayer(1, h, 7, True)] + [GatedLayer(h, h, 3, False) for _ in range(layers)])
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(h, 2 * h, 1), nn.ReLU(), nn.Conv2d(2 * h, 1, 1))

    def logits(self, x):
        v = h = x
        for layer in self.layers:
            v, h = layer(v, h)
        return self.head(h)


class Diagonal(nn.Module):
    """One direction: skewed so that a diagonal is a column, a 2×1 convolution from column to column."""

    def __init__(self, h):
        super().__init__()
        self.h = h
        self.input = nn.Conv2d(2 * h, 4 * h, 1)
        self.state = nn.Linear(2 * h, 4 * h, bias=False)

    def forward(self, x):
        z = self.input(x)
        n, _, height, width = z.shape
        skewed = torch.stack([F.pad(z[:, :, r], (r, height - 1 - r)) for r in range(height)], dim=2)
        # [columns, N, rows, 4h]
        columns = skewed.permute(3, 0, 2, 1).contiguous()
        h = c = z.new_zeros(n, height, self.h)
        states = []
        for column in columns:
            above = F.pad(h, (0, 0, 1, 0))[:, :-1]
            i, f, o, g = (column + self.state(torch.cat([h, above], dim=2))).chunk(4, dim=2)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            states.append(h)
        out = torch.stack(states, dim=3).permute(0, 2, 1, 3)  # [N, h, rows, columns]
        return torch.stack([out[:, :, r, r:r + width] for r in range(height)], dim=2)


class DiagonalBiLstm(Likelihood):
    def __init__(self, layers=7, h=16):
        super().__init__()
        self.first = MaskedConv2d("A", 1, 2 * h, 7)
        self.right = nn.ModuleList(Diagonal(h) for _ in range(layers))
        self.left = nn.ModuleList(Diagonal(h) for _ in range(layers))
        self.up = nn.ModuleList(nn.Conv2d(h, 2 * h, 1) for _ in range(layers))
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(2 * h, 2 * h, 1), nn.ReLU(), nn.Conv2d(2 * h, 1, 1))

    def logits(self, x):
        x = self.first(x)
        for right, left, up in zip(self.right, self.left, self.up):
            mirrored = left(x.flip(3)).flip(3)
            x = x + up(right(x) + F.pad(mirrored, (0, 0, 1, 0))[:, :, :-1])
        return self.head(x)


MODELS = {"pixelcnn": PixelCnn, "pixelcnn-gated": GatedPixelCnn, "pixelrnn": DiagonalBiLstm}
CASES = ["pixelcnn:step", "pixelcnn-gated:step", "pixelrnn:step", "pixelcnn:sample16", "pixelcnn-gated:sample16"]


def repetition(case, variant):
    name, task = case.split(":")
    # Channels last is the faster layout of oneDNN's convolutions here.
    layout = torch.contiguous_format if name == "pixelrnn" else torch.channels_last
    model = MODELS[name]().to(memory_format=layout)
    x = (torch.rand(16, 1, 28, 28) < 0.3).float().contiguous(memory_format=layout)
    if task == "step":
        return training_step(model, x, variant == "compile")
    logits = torch.compile(model.logits) if variant == "compile" else model.logits

    def pixel():
        """One pixel of 16 images."""
        with torch.inference_mode():
            return torch.bernoulli(torch.sigmoid(logits(x)[:, :, 14, 14]))

    return pixel
