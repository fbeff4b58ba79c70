"""A training step of a residual flow, and the invertible convolutions of Hoogeboom et al.: bench/cases/residual.mjs has the sizes."""

import torch
import torch.nn.functional as F

from step import training_step

CASES = ["residual:step", "emerging:step", "emerging:inverse", "periodic:step", "periodic:inverse"]


class Spectral(torch.nn.Module):
    """W·min(1, c/σ), one power iteration a step from where the last one ended, as rtqichen/residual-flows has it."""

    def __init__(self, inputs, outputs, coefficient=0.9):
        super().__init__()
        self.linear = torch.nn.Linear(inputs, outputs)
        self.coefficient = coefficient
        self.register_buffer("u", F.normalize(torch.randn(outputs), dim=0))
        self.register_buffer("v", F.normalize(torch.randn(inputs), dim=0))

    def forward(self, x):
        weight = self.linear.weight
        with torch.no_grad():
            self.v = F.normalize(weight.T @ self.u, dim=0)
            self.u = F.normalize(weight @ self.v, dim=0)
        sigma = self.u @ weight @ self.v
        return F.linear(x, weight * torch.clamp(self.coefficient / sigma, max=1), self.linear.bias)


class LipSwish(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.beta = torch.nn.Parameter(torch.tensor([0.5]))

    def forward(self, x):
        return x * torch.sigmoid(x * F.softplus(self.beta)) / 1.1


class Block(torch.nn.Module):
    """y = x + g(x); log-det and its gradient as section 3.2 of the paper: the Neumann series without a graph, one product with it."""

    def __init__(self, features, hidden):
        super().__init__()
        widths = [features, *hidden, features]
        layers = [Spectral(widths[0], widths[1])]
        for inputs, outputs in zip(widths[1:], widths[2:]):
            layers += [LipSwish(), Spectral(inputs, outputs)]
        self.g = torch.nn.Sequential(*layers)
        poisson = torch.distributions.Poisson(2.0)
        mass = poisson.log_prob(torch.arange(30.0)).exp()
        self.survival = (1 - torch.cumsum(mass, 0)).tolist()  # P(n > m)
        self.length = poisson

    def forward(self, x):
        x = x.requires_grad_(True)
        out = self.g(x)
        v = torch.randint(0, 2, x.shape, dtype=x.dtype) * 2 - 1
        terms = 2 + int(self.length.sample())
        w, weighted, series = v, 0, 0
        for k in range(1, terms + 1):
            q = 1.0 if k <= 2 else 1 / self.survival[k - 3]
            weighted = weighted + (-1) ** (k - 1) * q * w
            (w,) = torch.autograd.grad(out, x, w, retain_graph=True)
            series = series + (-1) ** (k - 1) * q / k * (w * v).sum(dim=1)
        (back,) = torch.autograd.grad(out, x, weighted, create_graph=True)
        surrogate = (back * v).sum(dim=1)
        return x + out, surrogate + (series - surrogate).detach()


class ResidualFlow(torch.nn.Module):
    def __init__(self, features, hidden, transforms):
        super().__init__()
        self.blocks = torch.nn.ModuleList(Block(features, hidden) for _ in range(transforms))

    def forward(self, x):
        log_prob = 0
        for block in self.blocks:
            x, log_det = block(x)
            log_prob = log_prob + log_det
        return log_prob - 0.5 * (x * x).sum(dim=1)


def residual_step():
    model, batch = ResidualFlow(64, [128, 128, 128], 4), torch.randn(256, 64)
    return training_step(model, batch)


IMAGES, SIDE, CHANNELS = 16, 16, 12


def emerging():
    """Masks and weights of the two convolutions; the second one is turned by half a turn."""
    mask = torch.zeros(CHANNELS, CHANNELS, 3, 3)
    mask[:, :, 0, :] = 1
    mask[:, :, 1, 0] = 1
    mask[:, :, 1, 1] = torch.tril(torch.ones(CHANNELS, CHANNELS), -1)
    masks = [mask, mask.flip(0, 1, 2, 3)]
    weights = [(0.05 * torch.randn_like(mask)).requires_grad_(True) for _ in masks]
    scales = [torch.zeros(CHANNELS).requires_grad_(True) for _ in masks]

    def effective(k):
        diagonal = torch.zeros(CHANNELS, CHANNELS, 3, 3)
        diagonal[:, :, 1, 1] = 1
        return weights[k] * masks[k] + diagonal * torch.diag(scales[k].exp())[:, :, None, None]

    return weights, scales, effective


def emerging_step():
    weights, scales, effective = emerging()
    x = torch.randn(IMAGES, CHANNELS, SIDE, SIDE).requires_grad_(True)

    def run():
        y, log_det = x, 0
        for k in range(2):
            y = F.conv2d(y, effective(k), padding=1)
            log_det = log_det + SIDE * SIDE * scales[k].sum()
        return torch.autograd.grad((y * y).sum() + IMAGES * log_det, [x, *weights, *scales])[0]

    return run


def emerging_inverse():
    """Pixel by pixel, all images at once, as there is no other way in PyTorch."""
    weights, _scales, effective = emerging()
    y = torch.randn(IMAGES, SIDE, SIDE, CHANNELS)

    def solve(y, weight):
        triangle = weight[:, :, 1, 1]
        rest = weight.clone()
        rest[:, :, 1, 1] = 0
        flat = rest.permute(2, 3, 1, 0).reshape(-1, CHANNELS)
        x = torch.zeros(IMAGES, SIDE + 2, SIDE + 2, CHANNELS)
        for h in range(SIDE):
            for w in range(SIDE):
                b = y[:, h, w] - x[:, h:h + 3, w:w + 3].reshape(IMAGES, -1) @ flat
                x[:, h + 1, w + 1] = torch.linalg.solve_triangular(triangle, b.T, upper=False).T
        return x[:, 1:-1, 1:-1]

    def run():
        with torch.inference_mode():
            second = effective(1).flip(0, 1, 2, 3)
            z = solve(y.flip(1, 2, 3), second).flip(1, 2, 3)
            return solve(z, effective(0))

    return run


def periodic_weight():
    weight = 0.02 * torch.randn(CHANNELS, CHANNELS, 3, 3)
    weight[:, :, 1, 1] = torch.linalg.qr(torch.randn(CHANNELS, CHANNELS))[0]
    return weight.requires_grad_(True)


def spectrum(weight):
    """Ŵ of each frequency, [H, W/2 + 1, C, C]: the kernel turned round and moved to the corner."""
    padded = F.pad(weight.flip(2, 3), (0, SIDE - 3, 0, SIDE - 3)).roll((-1, -1), (2, 3))
    return torch.fft.rfft2(padded).permute(2, 3, 0, 1)


COUNTS = torch.tensor([1.0] + [2.0] * (SIDE // 2 - 1) + [1.0])


def periodic_step():
    weight = periodic_weight()
    x = torch.randn(IMAGES, CHANNELS, SIDE, SIDE).requires_grad_(True)

    def run():
        y = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), weight)
        log_det = (torch.linalg.slogdet(spectrum(weight))[1] * COUNTS).sum()
        return torch.autograd.grad((y * y).sum() + IMAGES * log_det, [x, weight])[0]

    return run


def periodic_inverse():
    weight = periodic_weight()
    y = torch.randn(IMAGES, CHANNELS, SIDE, SIDE)

    def run():
        with torch.inference_mode():
            y_hat = torch.fft.rfft2(y).permute(2, 3, 1, 0)
            w_hat = spectrum(weight)
            log_det = (torch.linalg.slogdet(w_hat)[1] * COUNTS).sum()
            x = torch.fft.irfft2(torch.linalg.solve(w_hat, y_hat).permute(3, 2, 0, 1), s=(SIDE, SIDE))
            return x - 0 * log_det

    return run


def repetition(case, _variant):
    return {"residual:step": residual_step, "emerging:step": emerging_step, "emerging:inverse": emerging_inverse,
            "periodic:step": periodic_step, "periodic:inverse": periodic_inverse}[case]()
