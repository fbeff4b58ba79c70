"""Emerging and periodic convolutions: y, log|det|, and gradients of sum(y*outputWeights) + sum(logDet*logDetWeights).

Convolutions are PyTorch's; log|det| of the autoregressive ones is slogdet of the dense matrix, of which every column is the convolution of a
unit image; that of the periodic ones is a sum over the frequencies of the Fourier transform (Hoogeboom et al. 2019, section 4.1) and is
checked against the dense matrix.
"""

import torch
import torch.nn.functional as F

from golden import generator, gradients, normal, tensor, tensors, write


def turned(side, rotation, dy, dx):
    for _ in range(rotation):
        dy, dx = dx, -dy
    return dy + side // 2, dx + side // 2


def masked(params, side, rotation, lower):
    """[C, C, d, d]: taps before the pixel in the turned raster order, a triangle at the pixel, its diagonal apart."""
    channels = params["weight"].shape[0]
    weight = params["weight"].unflatten(1, (side, side, channels)).permute(0, 3, 1, 2)
    mask = torch.zeros(channels, channels, side, side)
    reach = side // 2
    for dy in range(-reach, 1):
        for dx in range(-reach, reach + 1 if dy < 0 else 0):
            y, x = turned(side, rotation, dy, dx)
            mask[:, :, y, x] = 1
    ones = torch.ones(channels, channels)
    mask[:, :, reach, reach] = torch.tril(ones, -1) if lower else torch.triu(ones, 1)
    scale = params["sign"] * torch.exp(params["logScale"])
    centre = torch.zeros(side, side)
    centre[reach, reach] = 1
    return weight * mask + torch.diag(scale)[:, :, None, None] * centre


def convolve(rows, weight, bias, image, circular=False):
    """rows [N, H*W*C], channels last."""
    height, width, channels = image
    pixels = rows.unflatten(1, (height, width, channels)).permute(0, 3, 1, 2)
    reach = weight.shape[-1] // 2
    padded = F.pad(pixels, (reach, reach, reach, reach), mode="circular" if circular else "constant")
    return F.conv2d(padded, weight, bias).permute(0, 2, 3, 1).flatten(1)


def dense_log_det(apply, features):
    """log|det| of the matrix whose columns are the images of unit images."""
    matrix = apply(torch.eye(features)) - apply(torch.zeros(1, features))
    return torch.linalg.slogdet(matrix.T)[1]


def case(name, seed, kind, image, parts, apply, log_det, n=3):
    """parts: [(config, params)], one after another; sign is state and has no gradient."""
    gen = generator(seed)
    features = image[0] * image[1] * image[2]
    x = normal(gen, n, features).requires_grad_(True)
    learned = {f"{k}.{key}": value for k, (_, params) in enumerate(parts) for key, value in params.items() if key != "sign"}
    for value in learned.values():
        value.requires_grad_(True)
    y = apply(x)
    total = log_det()
    output_weights, log_det_weights = normal(gen, n, features), normal(gen, n)
    ((y * output_weights).sum() + total * log_det_weights.sum()).backward()
    everything = {f"{k}.{key}": value for k, (_, params) in enumerate(parts) for key, value in params.items()}
    return {
        "name": name, "seed": seed, "type": kind,
        "image": dict(zip(("height", "width", "channels"), image)),
        "parts": [config for config, _ in parts],
        "params": tensors(everything), "inputs": tensors({"x": x}),
        "outputs": {"y": tensor(y), "logDet": tensor(total.expand(n).clone())},
        "outputWeights": tensor(output_weights), "logDetWeights": tensor(log_det_weights),
        "gradients": {"params": gradients(learned), "inputs": gradients({"x": x})},
    }


def autoregressive_params(gen, channels, side, bias):
    return {
        "weight": normal(gen, channels, side * side * channels, scale=0.4),
        "logScale": normal(gen, channels, scale=0.4),
        "sign": torch.sign(normal(gen, channels)),
        **({"bias": normal(gen, channels)} if bias else {}),
    }


def emerging(name, seed, image, configs):
    gen = generator(seed + 1000)
    parts = [(config, autoregressive_params(gen, image[2], config["kernel"], config["bias"])) for config in configs]

    def one(rows, config, params):
        weight = masked(params, config["kernel"], config["rotation"], config["lower"])
        return convolve(rows, weight, params.get("bias"), image)

    def apply(rows):
        for config, params in parts:
            rows = one(rows, config, params)
        return rows

    return case(name, seed, "autoregressive", image, parts, apply, lambda: dense_log_det(apply, image[0] * image[1] * image[2]))


def periodic(name, seed, image, side, bias):
    gen = generator(seed + 1000)
    height, width, channels = image
    weight = normal(gen, channels, side * side * channels, scale=0.25)
    weight.view(channels, side, side, channels)[:, side // 2, side // 2, :] += 1.5 * torch.eye(channels).flip(0)
    params = {"weight": weight, **({"bias": normal(gen, channels)} if bias else {})}
    kernel = lambda: params["weight"].unflatten(1, (side, side, channels)).permute(0, 3, 1, 2)
    apply = lambda rows: convolve(rows, kernel(), params.get("bias"), image, circular=True)

    def log_det():
        # The kernel as an image with its middle at the origin; a tap t reads x[p + t], so its phase is that of -t.
        reach = side // 2
        spread = torch.zeros(channels, channels, height, width)
        for ky in range(side):
            for kx in range(side):
                where = torch.zeros(height, width)
                where[(reach - ky) % height, (reach - kx) % width] = 1
                spread = spread + kernel()[:, :, ky, kx, None, None] * where
        matrices = torch.fft.fft2(spread).permute(2, 3, 0, 1)
        found = torch.linalg.slogdet(matrices)[1].sum()
        dense = dense_log_det(apply, height * width * channels)
        assert abs(found - dense) < 1e-10, (found, dense)
        return found

    return case(name, seed, "periodic", image, [({"kernel": side, "bias": bias}, params)], apply, log_det)


def config(kernel=3, rotation=0, lower=True, bias=False):
    return {"kernel": kernel, "rotation": rotation, "lower": lower, "bias": bias}


ABOUT = ("Parts one after another on rows [N, H*W*C], channels last; weight [C, d*d*C] in the order (ky, kx, channel), read as a correlation; "
         "logDet of each row; gradients of sum(y*outputWeights) + sum(logDet*logDetWeights).")

if __name__ == "__main__":
    write("invertibleConvs", ABOUT, [
        emerging("autoregressive", 61, (4, 3, 2), [config(bias=True)]),
        emerging("autoregressive-turned-upper", 62, (3, 4, 3), [config(rotation=1, lower=False)]),
        emerging("autoregressive-five", 63, (4, 5, 1), [config(kernel=5, rotation=3)]),
        emerging("emerging", 64, (4, 4, 2), [config(), config(rotation=2, lower=False, bias=True)]),
        periodic("periodic", 65, (4, 5, 2), 3, True),
        periodic("periodic-even", 66, (3, 4, 3), 3, False),
        periodic("periodic-wider-than-image", 67, (2, 3, 1), 5, False),
    ])
