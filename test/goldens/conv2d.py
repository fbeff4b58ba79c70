"""torch.nn.functional.conv2d with padding, dilation, causal padding and masked kernels, as maps of rows of pixels."""

import torch
import torch.nn.functional as F

from golden import generator, gradients, normal, tensor, write


def rows(images):
    """[N, C, H, W] → [N·H·W, C]."""
    return images.permute(0, 2, 3, 1).reshape(-1, images.shape[1])


def case(name, seed, size, channels, kernel, dilation=(1, 1), padding=("same", "same"), taps=None, activation="none",
         addend=False):
    gen = generator(seed)
    (n, height, width), (inputs, outputs), (kh, kw) = size, channels, kernel
    x = normal(gen, n * height * width, inputs).requires_grad_(True)
    # [out, (ky, kx, channel)]
    weight = normal(gen, outputs, kh * kw * inputs, scale=0.4).requires_grad_(True)
    bias = normal(gen, outputs).requires_grad_(True)
    plus = normal(gen, n * height * width, outputs).requires_grad_(True) if addend else None
    mask = torch.ones(kh * kw) if taps is None else torch.zeros(kh * kw).index_fill(0, torch.tensor(taps), 1.0)

    images = x.reshape(n, height, width, inputs).permute(0, 3, 1, 2)
    kernels = (weight.reshape(outputs, kh * kw, inputs) * mask[:, None]).reshape(outputs, kh, kw, inputs)
    before = [(k - 1) * d if p == "causal" else (k - 1) * d // 2 for k, d, p in zip(kernel, dilation, padding)]
    behind = [(k - 1) * d - b for k, d, b in zip(kernel, dilation, before)]
    padded = F.pad(images, (before[1], behind[1], before[0], behind[0]))
    z = rows(F.conv2d(padded, kernels.permute(0, 3, 1, 2), bias, dilation=dilation))
    if padding == ("same", "same"):
        with_word = F.conv2d(images, kernels.permute(0, 3, 1, 2), bias, dilation=dilation, padding="same")
        assert torch.allclose(z, rows(with_word), rtol=1e-13, atol=1e-13)
    if plus is not None:
        z = z + plus
    y = {"none": lambda t: t, "relu": torch.relu, "tanh": torch.tanh, "elu": F.elu}[activation](z)
    weights = normal(gen, *y.shape)
    (y * weights).sum().backward()
    leaves = {"x": x, "weight": weight, "bias": bias, **({"addend": plus} if addend else {})}
    return {
        "name": name,
        "seed": seed,
        "geometry": {"height": height, "width": width, "kernel": list(kernel), "dilation": list(dilation),
                     "padding": list(padding), "taps": taps},
        "activation": activation,
        "inputs": {key: tensor(value) for key, value in leaves.items()},
        "outputs": {"y": tensor(y)},
        "outputWeights": tensor(weights),
        "gradients": gradients(leaves),
    }


write(
    "conv2d",
    "y = act(conv2d(x) + bias (+ addend)) of images of which the pixels are rows [N*H*W, C]; weight [out, (ky, kx, channel)]; "
    "geometry.taps: the places ky*kw + kx whose weights count (null: all). gradients are of sum(y*outputWeights).",
    [
        case("same", 301, (2, 4, 5), (3, 4), (3, 3), activation="tanh"),
        case("few-outputs", 302, (2, 4, 3), (9, 2), (3, 3), addend=True),
        case("dilated", 303, (1, 7, 6), (2, 3), (3, 3), dilation=(2, 3), activation="elu"),
        case("even", 304, (2, 4, 5), (3, 2), (2, 4), activation="relu"),
        case("even-dilated", 305, (1, 5, 7), (2, 4), (4, 2), dilation=(1, 3)),
        case("causal-in-time", 306, (2, 1, 11), (3, 4), (1, 2), dilation=(1, 4), padding=("causal", "causal"),
             activation="tanh"),
        case("mask-a", 307, (2, 4, 4), (2, 3), (3, 3), taps=[0, 1, 2, 3], activation="relu"),
        case("mask-b", 308, (1, 6, 5), (3, 3), (5, 3), taps=[0, 1, 2, 3, 4, 5, 6, 7], activation="tanh"),
    ],
)
