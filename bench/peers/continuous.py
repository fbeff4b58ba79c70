"""Training steps of a continuous flow as FFJORD has them: bench/cases/continuous.mjs has the sizes."""

import torch
import torch.nn.functional as F

CASES = ["ffjord:step", "ffjord-exact:step", "flow-matching:step"]
FEATURES, BATCH, STEPS = 6, 256, 8


class ConcatSquash(torch.nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.layer = torch.nn.Linear(inputs, outputs)
        self.shift = torch.nn.Linear(1, outputs, bias=False)
        self.gate = torch.nn.Linear(1, outputs)

    def forward(self, t, x):
        return self.layer(x) * torch.sigmoid(self.gate(t)) + self.shift(t)


class Field(torch.nn.Module):
    def __init__(self, hidden):
        super().__init__()
        widths = [FEATURES, *hidden, FEATURES]
        self.layers = torch.nn.ModuleList(ConcatSquash(a, b) for a, b in zip(widths, widths[1:]))

    def forward(self, t, x):
        for layer in self.layers[:-1]:
            x = F.softplus(layer(t, x))
        return self.layers[-1](t, x)


def rates(field, t, z, probe):
    """f and its trace, by the probe or by D vector-Jacobian products."""
    f = field(t, z)
    if probe is not None:
        (product,) = torch.autograd.grad(f, z, probe, create_graph=True)
        return f, (product * probe).sum(dim=1)
    trace = 0
    for i in range(FEATURES):
        trace = trace + torch.autograd.grad(f[:, i].sum(), z, create_graph=True)[0][:, i]
    return f, trace


def likelihood_step(hidden, exact):
    field, batch = Field(hidden), torch.randn(BATCH, FEATURES)
    optimizer = torch.optim.Adam(field.parameters(), lr=1e-4, fused=True)
    h = -1 / STEPS

    def step():
        optimizer.zero_grad(set_to_none=True)
        probe = None if exact else torch.randint(0, 2, batch.shape, dtype=batch.dtype) * 2 - 1
        z, log_det = batch.clone().requires_grad_(True), 0
        for k in range(STEPS):
            t = torch.tensor([1 + k * h])
            k1, l1 = rates(field, t, z, probe)
            k2, l2 = rates(field, t + h / 2, z + h / 2 * k1, probe)
            k3, l3 = rates(field, t + h / 2, z + h / 2 * k2, probe)
            k4, l4 = rates(field, t + h, z + h * k3, probe)
            z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            log_det = log_det + h / 6 * (l1 + 2 * l2 + 2 * l3 + l4)
        loss = -(log_det - 0.5 * (z * z).sum(dim=1)).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def matching_step():
    field, batch = Field([64, 64, 64]), torch.randn(BATCH, FEATURES)
    optimizer = torch.optim.Adam(field.parameters(), lr=1e-4, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        noise, t = torch.randn_like(batch), torch.rand(BATCH, 1)
        loss = (field(t, t * batch + (1 - t) * noise) - (batch - noise)).square().sum(dim=1).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def repetition(case, _variant):
    if case == "flow-matching:step":
        return matching_step()
    return likelihood_step([64, 64], True) if case == "ffjord-exact:step" else likelihood_step([64, 64, 64], False)
