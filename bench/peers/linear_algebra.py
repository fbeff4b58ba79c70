"""Triangular solves and the LU form of a 1×1 convolution: 4096 rows, which are 16 images of 16×16 positions."""

import torch

from models import InvertibleConv1x1

CASES = [f"solve:n={n}" for n in (32, 128, 512)] + [
    f"lu:C={c}{task}" for c in (12, 48, 96) for task in ("", ":inverse")]
IMAGES, SIDE = 16, 16


def images(channels, variant):
    x = torch.randn(IMAGES, channels, SIDE, SIDE)
    return x if variant == "eager" else x.contiguous(memory_format=torch.channels_last)


def solve(n):
    """X·T = B, T upper triangular. Solving from the right is the faster way here: rows lie side by side."""
    t = torch.triu(0.3 / n * torch.ones(n, n), 1) + 1.5 * torch.eye(n)
    b = torch.randn(IMAGES * SIDE * SIDE, n)

    def run():
        with torch.inference_mode():
            return torch.linalg.solve_triangular(t, b, upper=True, left=False)

    return run


def forward_backward(channels, variant):
    layer = InvertibleConv1x1(channels)
    x = images(channels, variant).requires_grad_(True)
    dy, d_log_det = torch.randn_like(x), torch.tensor(1.3)
    leaves = [x, *layer.parameters()]
    forward = torch.compile(layer) if variant == "compile" else layer

    def run():
        y, log_det = forward(x)
        return torch.autograd.grad((y, log_det), leaves, (dy, d_log_det))[0]

    return run


def inverse(channels, variant):
    """W⁻¹·y by two triangular solves; the triangles are made once, as a sampler can."""
    layer = InvertibleConv1x1(channels)
    y = images(channels, variant)
    with torch.no_grad():
        lower = layer.lower * layer.below + layer.eye
        upper = layer.upper * layer.below.T + torch.diag(layer.sign * torch.exp(layer.log_s))
        order = layer.p.argmax(dim=0)  # row order[i] of W is row i of L·U
        lower_t, upper_t = lower.T.contiguous(), upper.T.contiguous()

    def by_columns(y):
        z = y.flatten(2)[:, order]
        z = torch.linalg.solve_triangular(lower, z, upper=False, unitriangular=True)
        x = torch.linalg.solve_triangular(upper, z, upper=True)
        return x.reshape(y.shape), -layer.log_s.sum() * (SIDE * SIDE)

    def by_rows(y):
        z = y.permute(0, 2, 3, 1).reshape(-1, channels)[:, order]
        z = torch.linalg.solve_triangular(lower_t, z, upper=True, left=False, unitriangular=True)
        x = torch.linalg.solve_triangular(upper_t, z, upper=False, left=False)
        return x.reshape(IMAGES, SIDE, SIDE, channels).permute(0, 3, 1, 2), -layer.log_s.sum() * (SIDE * SIDE)

    with torch.no_grad():
        for way in (by_columns, by_rows):
            torch.testing.assert_close(layer(way(y)[0])[0], y, rtol=1e-3, atol=1e-3)
    way = by_columns if variant == "eager" else by_rows
    if variant == "compile":
        way = torch.compile(way)

    def run():
        with torch.inference_mode():
            return way(y)[0]

    return run


def repetition(case, variant):
    name, size, *task = case.split(":")
    number = int(size.split("=")[1])
    if name == "solve":
        return solve(number)
    return inverse(number, variant) if task else forward_backward(number, variant)
