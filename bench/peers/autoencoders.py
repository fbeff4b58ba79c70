"""A variational autoencoder with an IAF posterior (Kingma et al. 2016) in plain PyTorch, as a careful user would write it."""

import torch
import torch.nn.functional as F
from torch import nn

import models

CASES = ["iaf-vae:step"]
FEATURES, HIDDEN, LATENTS, STEPS, MADE, CONTEXT, BATCH = 784, 512, 32, 4, 320, 64, 100


class GatedStep(nn.Module):
    """A MADE of two hidden layers whose first one sees h, and z' = s·z + (1 − s)·m, s = sigmoid(raw + 1.5)."""

    def __init__(self, features, width, context, reversed_order):
        super().__init__()
        degrees = torch.arange(1, features + 1)
        if reversed_order:
            degrees = degrees.flip(0)
        hidden = torch.arange(width) % features  # degree 0 sees h alone
        self.first = models.MaskedLinear(features, width, (hidden[:, None] >= degrees[None, :]).float())
        self.second = models.MaskedLinear(width, width, (hidden[:, None] >= hidden[None, :]).float())
        mask = (degrees[:, None] > hidden[None, :]).float()
        self.output = models.MaskedLinear(width, 2 * features, torch.cat([mask, mask]))
        self.context = nn.Linear(context, width, bias=False)

    def forward(self, z, h):
        m, raw = self.output(F.elu(self.second(F.elu(self.first(z) + self.context(h))))).chunk(2, dim=1)
        s = torch.sigmoid(raw + 1.5)
        return m + s * (z - m), F.logsigmoid(raw + 1.5).sum(dim=1)


class IafVae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(),
            nn.Linear(HIDDEN, 2 * LATENTS + CONTEXT))
        self.decoder = nn.Sequential(
            nn.Linear(LATENTS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, FEATURES))
        self.steps = nn.ModuleList(GatedStep(LATENTS, MADE, CONTEXT, t % 2 == 1) for t in range(STEPS))

    def forward(self, x):
        """The ELBO [N] by one draw."""
        mean, log_scale, h = self.encoder(x).split([LATENTS, LATENTS, CONTEXT], dim=1)
        noise = torch.randn_like(mean)
        z = mean + torch.exp(log_scale) * noise
        log_q = models.standard_normal_log_prob(noise) - log_scale.sum(dim=1)
        for step in self.steps:
            z, log_det = step(z, h)
            log_q = log_q - log_det
        log_likelihood = -F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="none").sum(dim=1)
        return log_likelihood + models.standard_normal_log_prob(z) - log_q


def build():
    return IafVae(), (torch.rand(BATCH, FEATURES) < 0.13).float()
