"""A WaveNet (van den Oord et al. 2016): training steps, and sampling by a whole pass a step as it is written without queues."""

import torch
import torch.nn.functional as F
from torch import nn

from step import training_step


class ResidualLayer(nn.Module):
    def __init__(self, channels, skips, dilation, last):
        super().__init__()
        self.dilation = dilation
        self.dilated = nn.Conv1d(channels, 2 * channels, 2, dilation=dilation)
        self.skip = nn.Conv1d(channels, skips, 1)
        self.residual = None if last else nn.Conv1d(channels, channels, 1)

    def forward(self, h):
        a, b = self.dilated(F.pad(h, (self.dilation, 0))).chunk(2, dim=1)
        g = torch.tanh(a) * torch.sigmoid(b)
        return h if self.residual is None else h + self.residual(g), self.skip(g)


class WaveNet(nn.Module):
    def __init__(self, layers=10, stacks=3, channels=64, levels=256):
        super().__init__()
        self.levels = levels
        self.input = nn.Embedding(levels + 1, channels)
        count = layers * stacks
        self.layers = nn.ModuleList(
            ResidualLayer(channels, channels, 2 ** (l % layers), l + 1 == count) for l in range(count)
        )
        self.hidden = nn.Conv1d(channels, channels, 1)
        self.last = nn.Conv1d(channels, levels, 1)

    def logits(self, x):
        h = self.input(F.pad(x[:, :-1], (1, 0), value=self.levels)).transpose(1, 2)
        total = 0
        for layer in self.layers:
            h, skip = layer(h)
            total = total + skip
        return self.last(F.relu(self.hidden(F.relu(total))))

    def forward(self, x):
        return -F.cross_entropy(self.logits(x), x, reduction="none").sum(1)


LENGTH = 16_000
# What one step of sampling costs without queues: a pass over the receptive field (3070 samples), of which the last output counts.
FIELD = 3070
CASES = ["wavenet:step", "wavenet:sample"]


def repetition(case, variant):
    model = WaveNet()
    if case == "wavenet:step":
        x = torch.randint(0, 256, (1, LENGTH))
        return training_step(model, x, variant == "compile")
    logits = torch.compile(model.logits) if variant == "compile" else model.logits
    x = torch.randint(0, 256, (1, FIELD))

    def sample():
        with torch.inference_mode():
            p = torch.softmax(logits(x)[:, :, -1], dim=1)
            return torch.multinomial(p, 1).float()

    return sample
