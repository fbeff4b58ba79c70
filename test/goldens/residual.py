"""Residual blocks y = x + g(x): norms of layers by singular values, exact log-dets, and power series with fixed probes."""

import torch
import torch.nn.functional as F

from golden import generator, gradients, normal, tensor, tensors, write


def operator(weight, kernel, image):
    """The matrix of a layer: the weight itself, or the convolution with zeros around, column by column."""
    if kernel == 1:
        return weight
    height, width = image
    inputs = weight.shape[1] // kernel**2
    basis = torch.eye(height * width * inputs).reshape(-1, height, width, inputs).permute(0, 3, 1, 2)
    taps = weight.reshape(-1, kernel, kernel, inputs).permute(0, 3, 1, 2)
    made = F.conv2d(basis, taps, padding=kernel // 2)
    return made.permute(0, 2, 3, 1).reshape(basis.shape[0], -1).T


def case(name, seed, channels, hidden, image=None, kernels=None, samples=3, coefficient=0.9, scale=1.5, terms=6):
    gen = generator(seed)
    positions = image[0] * image[1] if image else 1
    widths = [channels, *hidden, channels]
    kernels = kernels or [1] * (len(widths) - 1)
    params = {}
    for l, kernel in enumerate(kernels):
        fan = kernel**2 * widths[l]
        params[f"layers.{l}.weight"] = normal(gen, widths[l + 1], fan, scale=scale / fan**0.5).requires_grad_(True)
        params[f"layers.{l}.bias"] = normal(gen, widths[l + 1], scale=0.4).requires_grad_(True)
        if l > 0:
            params[f"beta.{l}"] = normal(gen, 1, scale=0.5).requires_grad_(True)
    x = normal(gen, samples * positions, channels).requires_grad_(True)
    probes = normal(gen, samples * positions, channels).sign()

    norms = [torch.linalg.svdvals(operator(params[f"layers.{l}.weight"], k, image))[0] for l, k in enumerate(kernels)]

    def g(rows):
        h = rows
        for l, kernel in enumerate(kernels):
            if l > 0:
                beta = F.softplus(params[f"beta.{l}"])
                h = h * torch.sigmoid(beta * h) / 1.1
            weight = params[f"layers.{l}.weight"] * torch.clamp(coefficient / norms[l], max=1)
            if kernel == 1:
                h = h @ weight.T
            else:
                images = h.reshape(samples, *image, -1).permute(0, 3, 1, 2)
                taps = weight.reshape(-1, kernel, kernel, images.shape[1]).permute(0, 3, 1, 2)
                h = F.conv2d(images, taps, padding=kernel // 2).permute(0, 2, 3, 1).reshape(samples * positions, -1)
            h = h + params[f"layers.{l}.bias"]
        return h

    out = g(x)
    jacobian = torch.autograd.functional.jacobian(g, x, create_graph=True)
    features = positions * channels
    blocks = jacobian.reshape(samples, features, samples, features)
    whole = torch.stack([torch.eye(features) + blocks[n, :, n, :] for n in range(samples)])
    log_det = torch.linalg.slogdet(whole)[1]

    w, series, weighted = probes, 0, 0
    for k in range(1, terms + 1):
        weighted = weighted + (-1) ** (k - 1) * w
        (w,) = torch.autograd.grad(out, x, w, create_graph=True)
        series = series + (-1) ** (k - 1) / k * (w * probes).reshape(samples, -1).sum(dim=1)
    # w' J v with w held fixed.
    (back,) = torch.autograd.grad(out, x, weighted.detach(), create_graph=True)
    neumann = (back * probes).reshape(samples, -1).sum(dim=1)

    leaves = {"x": x, **params}
    found = {}
    for what, value in {"exact": log_det, "series": series, "neumann": neumann}.items():
        for leaf in leaves.values():
            leaf.grad = None
        (value * torch.arange(1.0, samples + 1)).sum().backward(retain_graph=True)
        found[what] = gradients(leaves)
    return {
        "name": name,
        "seed": seed,
        "options": {"channels": channels, "hidden": list(hidden), "coefficient": coefficient,
                    **({"image": {"height": image[0], "width": image[1]}, "kernels": kernels} if image else {})},
        "params": tensors(params),
        "x": tensor(x),
        "probes": tensor(probes),
        "terms": terms,
        "norms": tensor(torch.stack(norms)),
        "y": tensor(x + out),
        "logDet": tensor(log_det),
        "series": tensor(series),
        "weighted": tensor(weighted),
        "gradients": found,
    }


if __name__ == "__main__":
    write(
        "residual",
        "y = x + g(x), g of layers whose largest singular value (of the operator: of a convolution on the image, zeros around it) is "
        "held to coefficient, and lipSwish. norms: before that. logDet: of the whole Jacobian, by sample; series, weighted: terms of its power "
        "series with probes. gradients are of sum_n (n + 1)*value[n], of w'Jv with w fixed for neumann.",
        [
            case("table", 901, 3, [5, 4]),
            case("images", 902, 2, [3, 3], image=(3, 2), kernels=[3, 1, 3], samples=2, scale=2.5),
        ],
    )
