"""The convolutional networks of Glow's and RealNVP's couplings as torch.nn.functional calls on channels-first images."""

import torch
import torch.nn.functional as F

from golden import generator, gradients, normal, tensor, tensors, write

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh}


def images(rows, height, width):
    """[N·H·W, C] → [N, C, H, W]."""
    return rows.reshape(-1, height, width, rows.shape[1]).permute(0, 3, 1, 2)


def rows(images):
    """[N, C, H, W] → [N·H·W, C]."""
    return images.permute(0, 2, 3, 1).reshape(-1, images.shape[1])


def kernel(weight, size=3):
    """[out, (ky, kx, channel)] → [out, channel, ky, kx]."""
    return weight.reshape(weight.shape[0], size, size, -1).permute(0, 3, 1, 2)


def leaves(values):
    return {name: value.requires_grad_(True) for name, value in values.items()}


def glow(gen, n, height, width, inputs, outputs, hidden, context=0, activation="relu", output_scale=True, act_norm=False):
    params = {
        "first.weight": normal(gen, hidden, 9 * inputs, scale=0.3),
        "first.bias": normal(gen, hidden, scale=0.3),
        "middle.weight": normal(gen, hidden, hidden, scale=0.4),
        "middle.bias": normal(gen, hidden, scale=0.3),
        "last.weight": normal(gen, outputs, 9 * hidden, scale=0.2),
        "last.bias": normal(gen, outputs, scale=0.3),
    }
    if output_scale:
        params["last.logScale"] = normal(gen, outputs, scale=0.2)
    state = {}
    if act_norm:
        for name in ("first", "middle"):
            params[f"{name}.logScale"] = normal(gen, hidden, scale=0.2)
            state[f"{name}.initialized"] = torch.ones(1)
    if context:
        params["context.weight"] = normal(gen, hidden, context, scale=0.5)
    params = leaves(params)
    act = ACTIVATIONS[activation]

    def hidden_conv(name, h, weight, padding):
        """With actnorm as their code has it: no bias in the convolution, then (h + b)·exp(3·logs)."""
        if not act_norm:
            return F.conv2d(h, weight, params[f"{name}.bias"], padding=padding)
        channel = lambda value: value[None, :, None, None]
        return (F.conv2d(h, weight, padding=padding) + channel(params[f"{name}.bias"])) * torch.exp(
            3 * channel(params[f"{name}.logScale"]))

    def run(x, given):
        z = hidden_conv("first", images(x, height, width), kernel(params["first.weight"]), 1)
        if context:
            z = z + F.linear(given, params["context.weight"])[:, :, None, None]
        h = act(z)
        h = act(hidden_conv("middle", h, params["middle.weight"][:, :, None, None], 0))
        y = F.conv2d(h, kernel(params["last.weight"]), params["last.bias"], padding=1)
        if output_scale:
            # Kingma, Dhariwal 2018, code: conv2d_zeros multiplies by exp(3·logs), the bias included.
            y = y * torch.exp(3 * params["last.logScale"])[None, :, None, None]
        return rows(y)

    config = {"kind": "convNet", "image": {"height": height, "width": width}, "inputs": inputs, "outputs": outputs,
              "hidden": hidden, "activation": activation, "outputScale": output_scale, "contextFeatures": context}
    if act_norm:
        config["actNorm"] = True
    return config, params, run, state, True


def residual(gen, n, height, width, inputs, outputs, hidden, blocks, context=0, activation="relu", weight_norm=True,
             batch_norm=True, evaluation=False):
    params, state = {}, {}

    def conv(name, size, fan_in, fan_out, bias=True):
        params[f"{name}.weight"] = normal(gen, fan_out, size * size * fan_in, scale=0.8 / (size * size * fan_in) ** 0.5)
        if bias:
            params[f"{name}.bias"] = normal(gen, fan_out, scale=0.3)
        if weight_norm:
            params[f"{name}.gain"] = 0.6 + 0.3 * normal(gen, fan_out)

    def norm(name):
        if not batch_norm:
            return
        params[f"{name}.norm.logGamma"] = normal(gen, hidden, scale=0.3)
        params[f"{name}.norm.beta"] = normal(gen, hidden, scale=0.3)
        state[f"{name}.norm.mean"] = normal(gen, hidden, scale=0.3)
        state[f"{name}.norm.variance"] = 0.3 + normal(gen, hidden) ** 2

    conv("first", 3, inputs, hidden)
    conv("firstSkip", 1, hidden, hidden)
    for k in range(blocks):
        norm(f"blocks.{k}.before")
        conv(f"blocks.{k}.first", 3, hidden, hidden, bias=not batch_norm)
        norm(f"blocks.{k}.between")
        conv(f"blocks.{k}.second", 3, hidden, hidden)
        conv(f"blocks.{k}.skip", 1, hidden, hidden)
    norm("end")
    conv("last", 1, hidden, outputs)
    if context:
        params["context.weight"] = normal(gen, hidden, context, scale=0.5)
    params = leaves(params)
    act = ACTIVATIONS[activation]

    def apply_conv(name, size, h):
        weight = params[f"{name}.weight"]
        if weight_norm:
            weight = params[f"{name}.gain"][:, None] * weight / weight.norm(dim=1, keepdim=True)
        return F.conv2d(h, kernel(weight, size), params.get(f"{name}.bias"), padding=size // 2)

    def activated(name, h):
        if batch_norm:
            mean, variance = state[f"{name}.norm.mean"], state[f"{name}.norm.variance"]
            gamma, beta = torch.exp(params[f"{name}.norm.logGamma"]), params[f"{name}.norm.beta"]
            h = F.batch_norm(h, mean, variance, gamma, beta, training=not evaluation, momentum=0.0, eps=1e-4)
        return act(h)

    def run(x, given):
        h = apply_conv("first", 3, images(x, height, width))
        if context:
            h = h + F.linear(given, params["context.weight"])[:, :, None, None]
        out = apply_conv("firstSkip", 1, h)
        for k in range(blocks):
            inner = apply_conv(f"blocks.{k}.first", 3, activated(f"blocks.{k}.before", h))
            h = h + apply_conv(f"blocks.{k}.second", 3, activated(f"blocks.{k}.between", inner))
            out = out + apply_conv(f"blocks.{k}.skip", 1, h)
        return rows(apply_conv("last", 1, activated("end", out)))

    config = {"kind": "residualConvNet", "image": {"height": height, "width": width}, "inputs": inputs,
              "outputs": outputs, "hidden": hidden, "blocks": blocks, "activation": activation,
              "weightNorm": weight_norm, "batchNorm": batch_norm, "contextFeatures": context}
    return config, params, run, state, not evaluation


def coder(gen, image, channels, blocks, hidden, encoder, width, context, per_feature=1):
    """The encoder (x [N, H·W·C] → [N, width]) or decoder ([N, width] → [N, H·W·C·P]) of a VAE; scales of half the sides."""
    height, breadth, colours = image
    params = {}

    def layer(name, fan_in, fan_out, bias=True):
        params[f"{name}.weight"] = normal(gen, fan_out, fan_in, scale=0.8 / fan_in ** 0.5)
        if bias:
            params[f"{name}.bias"] = normal(gen, fan_out, scale=0.3)

    last = len(channels) - 1
    pixels = (height >> last) * (breadth >> last)
    if encoder:
        layer("first", 9 * colours, channels[0])
        layer("dense", pixels * channels[last], hidden)
        layer("last", hidden, width)
    else:
        layer("dense", width, hidden)
        layer("spread", hidden, pixels * channels[last])
        layer("last", 9 * channels[0], colours * per_feature)
    for l, count in enumerate(channels):
        if l > 0 and encoder:
            layer(f"scales.{l}.into", 9 * 4 * channels[l - 1], count)
        if l > 0 and not encoder:
            layer(f"scales.{l}.out", 9 * count, 4 * channels[l - 1])
        for k in range(blocks):
            layer(f"scales.{l}.blocks.{k}.first", 9 * count, count)
            layer(f"scales.{l}.blocks.{k}.second", 9 * count, count)
    if context:
        layer("context", context, hidden, bias=False)
    leaves(params)

    def conv(name, h):
        return F.conv2d(h, kernel(params[f"{name}.weight"]), params[f"{name}.bias"], padding=1)

    def linear(name, h):
        return F.linear(h, params[f"{name}.weight"], params[f"{name}.bias"])

    def level_blocks(l, h):
        for k in range(blocks):
            h = h + conv(f"scales.{l}.blocks.{k}.second", F.elu(conv(f"scales.{l}.blocks.{k}.first", F.elu(h))))
        return h

    def squeeze(h):
        """[N, C, H, W] → [N, 4C, H/2, W/2]: (row, column, channel) of the four pixels."""
        n, c, rows_, columns_ = h.shape
        h = h.reshape(n, c, rows_ // 2, 2, columns_ // 2, 2).permute(0, 3, 5, 1, 2, 4)
        return h.reshape(n, 4 * c, rows_ // 2, columns_ // 2)

    def unsqueeze(h):
        n, c, rows_, columns_ = h.shape
        h = h.reshape(n, 2, 2, c // 4, rows_, columns_).permute(0, 3, 4, 1, 5, 2)
        return h.reshape(n, c // 4, 2 * rows_, 2 * columns_)

    def dense(h, given):
        z = linear("dense", h)
        return F.elu(z + F.linear(given, params["context.weight"]) if context else z)

    def encode(x, given):
        h = conv("first", images(x.reshape(-1, colours), height, breadth))
        for l in range(len(channels)):
            if l > 0:
                h = conv(f"scales.{l}.into", squeeze(F.elu(h)))
            h = level_blocks(l, h)
        return linear("last", dense(rows(F.elu(h)).reshape(x.shape[0], -1), given))

    def decode(z, given):
        h = linear("spread", dense(z, given)).reshape(-1, channels[last])
        h = images(h, height >> last, breadth >> last)
        for l in range(last, -1, -1):
            h = F.elu(level_blocks(l, h))
            if l > 0:
                h = unsqueeze(conv(f"scales.{l}.out", h))
        return rows(conv("last", h)).reshape(z.shape[0], -1)

    config = {"kind": "convEncoder" if encoder else "convDecoder",
              "image": {"height": height, "width": breadth, "channels": colours}, "channels": channels, "blocks": blocks,
              "hidden": hidden, "contextFeatures": context}
    sizes = {"outputs": width} if encoder else {"inputs": width, "outputsPerPixel": colours * per_feature}
    return {**config, **sizes}, params, encode if encoder else decode


def coder_case(name, seed, n, image, encoder, width, context=0, **options):
    gen = generator(seed)
    config, params, run = coder(gen, image, encoder=encoder, width=width, context=context, **options)
    columns = image[0] * image[1] * image[2] if encoder else width
    given = leaves({"x": normal(gen, n, columns), **({"context": normal(gen, n, context)} if context else {})})
    y = run(given["x"], given.get("context"))
    weights = normal(gen, *y.shape)
    (y * weights).sum().backward()
    return {"name": name, "seed": seed, "config": config, "training": False, "params": tensors(params), "state": {},
            "inputs": tensors(given), "outputs": {"y": tensor(y)}, "outputWeights": tensor(weights),
            "gradients": gradients({**given, **params})}


def case(name, seed, make, n, height, width, inputs, **options):
    gen = generator(seed)
    context = options.get("context", 0)
    config, params, run, state, training = make(gen, n, height, width, inputs, **options)
    given = leaves({"x": normal(gen, n * height * width, inputs),
                    **({"context": normal(gen, n, context)} if context else {})})
    y = run(given["x"], given.get("context"))
    weights = normal(gen, *y.shape)
    (y * weights).sum().backward()
    return {
        "name": name,
        "seed": seed,
        "config": config,
        "training": training,
        "params": tensors(params),
        "state": tensors(state),
        "inputs": tensors(given),
        "outputs": {"y": tensor(y)},
        "outputWeights": tensor(weights),
        "gradients": gradients({**given, **params}),
    }


write(
    "convNet",
    "y [N*H*W, outputs] of images of which the pixels are rows [N*H*W, inputs]; weights [out, (ky, kx, channel)]. "
    "params and state by their names in the library; batch norm with moments of the batch (training) or state. "
    "gradients are of sum(y*outputWeights).",
    [
        case("glow", 321, glow, 2, 4, 3, 3, outputs=4, hidden=7),
        case("glow-context", 322, glow, 3, 2, 4, 2, outputs=3, hidden=6, context=2, activation="tanh"),
        case("glow-no-scale", 323, glow, 2, 3, 3, 5, outputs=2, hidden=8, output_scale=False),
        case("glow-act-norm", 327, glow, 2, 3, 4, 2, outputs=3, hidden=6, context=2, activation="tanh", act_norm=True),
        case("residual", 324, residual, 2, 3, 4, 2, outputs=3, hidden=5, blocks=2),
        case("residual-evaluation", 325, residual, 2, 3, 3, 3, outputs=2, hidden=4, blocks=1, activation="tanh",
             evaluation=True),
        case("residual-plain", 326, residual, 2, 4, 3, 2, outputs=3, hidden=5, blocks=2, context=2, weight_norm=False,
             batch_norm=False),
        coder_case("encoder", 231, 2, (4, 6, 2), True, 5, channels=[3, 4], blocks=1, hidden=6),
        coder_case("decoder-context", 232, 2, (4, 4, 1), False, 3, context=2, channels=[3, 2], blocks=1, hidden=5, per_feature=2),
        coder_case("encoder-three-scales-context", 233, 1, (4, 4, 1), True, 3, context=2, channels=[2, 3, 2], blocks=0, hidden=4),
    ],
)
