"""Whole image flows: Glow and the multi-scale RealNVP on tiny images. log p, gradients and ten Adam steps.

Written from the papers (Kingma, Dhariwal 2018; Dinh et al. 2017) on images [N, H, W, C] with conv2d of PyTorch; parameters
have the names and layouts of the library: a convolution's weight is [out, (ky, kx, c)], a 1×1 map is y = W·x.
"""

import math

import torch
import torch.nn.functional as F

from golden import generator, gradients, normal, standard_normal_log_prob, tensor, tensors, write

BETAS, EPS = (0.9, 0.999), 1e-8


class Parameters(dict):
    """Random signed leaves by name."""

    def __init__(self, gen):
        super().__init__()
        self.gen = gen

    def make(self, name, *shape, scale=0.2):
        self[name] = normal(self.gen, *shape, scale=scale).requires_grad_(True)
        return self[name]


def conv(x, weight, bias, kernel):
    """x [N, H, W, Cin], weight [Cout, k·k·Cin] → [N, H, W, Cout], zeros around."""
    out, cin = weight.shape[0], x.shape[3]
    kernels = weight.reshape(out, kernel, kernel, cin).permute(0, 3, 1, 2)
    return F.conv2d(x.permute(0, 3, 1, 2), kernels, bias, padding=kernel // 2).permute(0, 2, 3, 1)


def squeeze(x):
    """[N, H, W, C] → [N, H/2, W/2, 4C]: top left, top right, bottom left, bottom right."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h // 2, w // 2, 4 * c)


def flat(x):
    return x.reshape(x.shape[0], -1)


# ---- Glow --------------------------------------------------------------------------------------


class ActNorm:
    def __init__(self, params, path, channels):
        self.log_scale = params.make(f"{path}.logScale", channels)
        self.shift = params.make(f"{path}.shift", channels)

    def __call__(self, x, context):
        y = x * torch.exp(self.log_scale) + self.shift
        return y, x.shape[1] * x.shape[2] * self.log_scale.sum() * torch.ones(x.shape[0])


class LuMap:
    """W = P·L·(U + diag(sign·exp(logScale))); `rows`: row i of the product without P is row rows[i] of W."""

    def __init__(self, params, state, path, channels):
        gen = params.gen
        self.factors = params.make(f"{path}.factors", channels, channels, scale=0.2)
        # The diagonal is not part of it.
        with torch.no_grad():
            self.factors.fill_diagonal_(0.0)
        self.log_scale = params.make(f"{path}.logScale", channels)
        self.sign = torch.sign(normal(gen, channels))
        self.rows = torch.randperm(channels, generator=gen)
        state[f"{path}.sign"], state[f"{path}.rows"] = self.sign, self.rows

    def __call__(self, x, context):
        lower = torch.tril(self.factors, -1) + torch.eye(len(self.sign))
        upper = torch.triu(self.factors, 1) + torch.diag(self.sign * torch.exp(self.log_scale))
        weight = torch.zeros_like(lower).index_copy(0, self.rows, lower @ upper)
        return x @ weight.T, x.shape[1] * x.shape[2] * self.log_scale.sum() * torch.ones(x.shape[0])


class Reverse:
    def __call__(self, x, context):
        return x.flip(3), torch.zeros(x.shape[0])


class ConvNet:
    """3×3, ReLU, 1×1, ReLU, 3×3 times exp(3·logScale)."""

    def __init__(self, params, path, inputs, outputs, hidden, context):
        make = params.make
        self.first = make(f"{path}.first.weight", hidden, 9 * inputs), make(f"{path}.first.bias", hidden)
        self.middle = make(f"{path}.middle.weight", hidden, hidden), make(f"{path}.middle.bias", hidden)
        self.last = make(f"{path}.last.weight", outputs, 9 * hidden), make(f"{path}.last.bias", outputs)
        self.scale = make(f"{path}.last.logScale", outputs, scale=0.1)
        self.context = make(f"{path}.context.weight", hidden, context) if context else None

    def __call__(self, x, context):
        h = conv(x, *self.first, 3)
        if self.context is not None:
            h = h + (context @ self.context.T)[:, None, None, :]
        h = torch.relu(torch.relu(h) @ self.middle[0].T + self.middle[1])
        return conv(h, *self.last, 3) * torch.exp(3 * self.scale)


class OneConv:
    """A 3×3 convolution times exp(3·logScale): mean and log-scale of what leaves, given what stays."""

    def __init__(self, params, path, inputs, outputs):
        self.conv = params.make(f"{path}.conv.weight", outputs, 9 * inputs), params.make(f"{path}.conv.bias", outputs)
        self.scale = params.make(f"{path}.conv.logScale", outputs, scale=0.1)

    def __call__(self, x, context):
        return conv(x, *self.conv, 3) * torch.exp(3 * self.scale)


def log_sigmoid(raw):
    return F.logsigmoid(raw + 2)


class ChannelCoupling:
    """The second half is transformed given the first: y = x·s(raw) + shift."""

    def __init__(self, params, path, channels, hidden, context, scale):
        outputs = channels // 2 if scale == "additive" else channels
        at = f"{path}.conditioner"
        self.net = (OneConv(params, at, channels // 2, outputs) if hidden is None
                    else ConvNet(params, at, channels // 2, outputs, hidden, context))
        self.log_of = {"sigmoid": log_sigmoid, "exp": lambda raw: raw, "additive": None}[scale]

    def __call__(self, x, context):
        first, second = x.chunk(2, dim=3)
        made = self.net(first, context)
        if self.log_of is None:
            return torch.cat([first, second + made], dim=3), torch.zeros(x.shape[0])
        shift, raw = made.chunk(2, dim=3)
        log_s = self.log_of(raw)
        return torch.cat([first, second * torch.exp(log_s) + shift], dim=3), flat(log_s).sum(dim=1)


class TopPrior:
    """Scale and shift of each channel: a bias, and a linear map of the context."""

    def __init__(self, params, path, channels, context):
        self.bias = params.make(f"{path}.bias", 2 * channels)
        self.weight = params.make(f"{path}.weight", 2 * channels, context) if context else None

    def __call__(self, x, context):
        both = self.bias.expand(x.shape[0], -1)
        if self.weight is not None:
            both = both + context @ self.weight.T
        log_scale, shift = both.chunk(2, dim=1)
        y = x * torch.exp(log_scale)[:, None, None, :] + shift[:, None, None, :]
        return y, x.shape[1] * x.shape[2] * log_scale.sum(dim=1)


class Levels:
    """Levels of maps; half of the channels leave after each but the last."""

    def __init__(self, scales):
        self.scales = scales

    def __call__(self, x, context):
        log_det, parts = torch.zeros(x.shape[0]), []
        for k, maps in enumerate(self.scales):
            for one in maps:
                x, ld = one(x, context)
                log_det = log_det + ld
            if k < len(self.scales) - 1:
                x, left = x.chunk(2, dim=3)
                parts.append(flat(left))
        return torch.cat([*parts, flat(x)], dim=1), log_det


def squeezing(x, context):
    return squeeze(x), torch.zeros(x.shape[0])


def glow(params, state, image, scales, transforms, hidden, permutation, scale, learned_prior, context):
    channels, built = image[2], []
    for scale_index in range(scales):
        channels *= 4
        path, maps = f"bijection.{scale_index}", [squeezing]
        for _ in range(transforms):
            maps.append(ActNorm(params, f"{path}.{len(maps)}", channels))
            at = f"{path}.{len(maps)}"
            maps.append(LuMap(params, state, at, channels) if permutation == "lu" else Reverse())
            maps.append(ChannelCoupling(params, f"{path}.{len(maps)}", channels, hidden, context, scale))
        if learned_prior and scale_index < scales - 1:
            maps.append(ChannelCoupling(params, f"{path}.{len(maps)}", channels, None, 0, "exp"))
        if learned_prior and scale_index == scales - 1:
            maps.append(TopPrior(params, f"{path}.{len(maps)}", channels, context))
        built.append(maps)
        channels //= 2
    return Levels(built)


# ---- RealNVP on images -------------------------------------------------------------------------


class BatchNorm:
    """Over rows and positions: statistics of the batch in training, which the running ones follow; else those."""

    def __init__(self, params, state, path, channels, eps):
        gen, self.eps = params.gen, eps
        self.log_gamma = params.make(f"{path}.logGamma", channels)
        self.beta = params.make(f"{path}.beta", channels)
        self.mean, self.variance = normal(gen, channels, scale=0.4), 0.5 + normal(gen, channels).abs()
        state[f"{path}.mean"], state[f"{path}.variance"] = self.mean, self.variance
        self.training = False

    def normalise(self, x):
        mean, variance = self.mean, self.variance
        if self.training:
            rows = x.reshape(-1, x.shape[3])
            mean, variance = rows.mean(dim=0), rows.var(dim=0, unbiased=False)
            with torch.no_grad():
                self.mean += 0.1 * (mean - self.mean)
                self.variance += 0.1 * (variance - self.variance)
        log_slope = self.log_gamma - 0.5 * torch.log(variance + self.eps)
        return (x - mean) * torch.exp(log_slope) + self.beta, log_slope

    def __call__(self, x, context):
        y, log_slope = self.normalise(x)
        return y, x.shape[1] * x.shape[2] * log_slope.sum() * torch.ones(x.shape[0])


class ResidualNet:
    """Weight-normalised residual network with batch norm before each activation and a 1×1 of each block to the end."""

    def __init__(self, params, state, path, inputs, outputs, hidden, blocks):
        self.params, self.path, self.norms = params, path, {}
        self.blocks = blocks
        self.kernels = {"first": (3, inputs, hidden), "firstSkip": (1, hidden, hidden)}
        for k in range(blocks):
            self.kernels[f"blocks.{k}.first"] = (3, hidden, hidden)
            self.kernels[f"blocks.{k}.second"] = (3, hidden, hidden)
            self.kernels[f"blocks.{k}.skip"] = (1, hidden, hidden)
        self.kernels["last"] = (1, hidden, outputs)
        for name, (size, fan_in, fan_out) in self.kernels.items():
            params.make(f"{path}.{name}.weight", fan_out, size * size * fan_in)
            if not (name.startswith("blocks") and name.endswith("first")):
                params.make(f"{path}.{name}.bias", fan_out)
            params.make(f"{path}.{name}.gain", fan_out, scale=0.5)
        names = [f"blocks.{k}.{at}" for k in range(blocks) for at in ("before", "between")] + ["end"]
        for name in names:
            self.norms[name] = BatchNorm(params, state, f"{path}.{name}.norm", hidden, 1e-4)

    def layer(self, name, x):
        v, gain = self.params[f"{self.path}.{name}.weight"], self.params[f"{self.path}.{name}.gain"]
        weight = v * (gain / v.norm(dim=1))[:, None]
        return conv(x, weight, self.params.get(f"{self.path}.{name}.bias"), self.kernels[name][0])

    def active(self, name, x):
        return torch.relu(self.norms[name].normalise(x)[0])

    def __call__(self, x):
        h = self.layer("first", x)
        total = self.layer("firstSkip", h)
        for k in range(self.blocks):
            inner = self.layer(f"blocks.{k}.first", self.active(f"blocks.{k}.before", h))
            h = h + self.layer(f"blocks.{k}.second", self.active(f"blocks.{k}.between", inner))
            total = total + self.layer(f"blocks.{k}.skip", h)
        return self.layer("last", self.active("end", total))


class TanhCoupling:
    """y = x·exp(gain·tanh(raw)) + shift on a checkerboard (parity 0 or 1) or a half of the channels."""

    def __init__(self, params, state, path, channels, hidden, blocks, split):
        self.split = split
        checkerboard = isinstance(split, int)
        self.gain = params.make(f"{path}.gain", channels if checkerboard else channels // 2, scale=0.6)
        inputs, outputs = (channels, 2 * channels) if checkerboard else (channels // 2, channels)
        self.net = ResidualNet(params, state, f"{path}.conditioner", inputs, outputs, hidden, blocks)

    def __call__(self, x, context):
        if isinstance(self.split, int):
            place = torch.arange(x.shape[1])[:, None] + torch.arange(x.shape[2])[None, :]
            moved = (place % 2 == self.split).to(x.dtype)[None, :, :, None]
            shift, raw = self.net(x * (1 - moved)).chunk(2, dim=3)
            log_s = moved * self.gain * torch.tanh(raw)
            return x * (1 - moved) + moved * (x * torch.exp(log_s) + shift), flat(log_s).sum(dim=1)
        first, second = x.chunk(2, dim=3)
        seen, changed = (second, first) if self.split == "first" else (first, second)
        shift, raw = self.net(seen).chunk(2, dim=3)
        log_s = self.gain * torch.tanh(raw)
        changed = changed * torch.exp(log_s) + shift
        halves = [changed, second] if self.split == "first" else [first, changed]
        return torch.cat(halves, dim=3), flat(log_s).sum(dim=1)


def realnvp(params, state, image, scales, hidden, blocks):
    channels, built = image[2], []
    for scale in range(scales):
        path, maps = f"bijection.{scale}", []

        def couple(split, width):
            maps.append(TanhCoupling(params, state, f"{path}.{len(maps)}", channels, width, blocks, split))
            maps.append(BatchNorm(params, state, f"{path}.{len(maps)}", channels, 1e-5))

        if scale == scales - 1:
            for parity in (0, 1, 0, 1):
                couple(parity, hidden)
        else:
            for parity in (0, 1, 0):
                couple(parity, hidden)
            maps.append(squeezing)
            channels, hidden = 4 * channels, 2 * hidden
            for half in ("second", "first", "second"):
                couple(half, hidden)
            channels //= 2
        built.append(maps)
    return Levels(built)


def set_training(flow, on):
    for maps in flow.scales:
        for one in maps:
            norms = list(one.net.norms.values()) if isinstance(one, TanhCoupling) else [one]
            for norm in norms:
                if isinstance(norm, BatchNorm):
                    norm.training = on


# ---- cases -------------------------------------------------------------------------------------


def log_prob(flow, x, image, context):
    noise, log_det = flow(x.reshape(x.shape[0], *image), context)
    return noise, log_det, standard_normal_log_prob(noise) + log_det


def case(name, seed, recipe, image, n, build, config, context=0, lr=1e-2):
    gen = generator(seed)
    params, state = Parameters(gen), {}
    flow = build(params, state)
    size = image[0] * image[1] * image[2]
    inputs = {"x": normal(gen, n, size), **({"context": normal(gen, n, context)} if context else {})}
    initial, leaves = tensors(params), list(params.values())
    x = inputs["x"].clone().requires_grad_(True)
    given = inputs.get("context")
    start = tensors(state)
    set_training(flow, False)
    with torch.no_grad():
        used = log_prob(flow, inputs["x"], image, given)
    set_training(flow, True)
    noise, log_det, log_p = log_prob(flow, x, image, given)
    loss = -log_p.mean()
    loss.backward()
    record = {
        "name": name,
        "seed": seed,
        "recipe": recipe,
        "config": {"image": dict(zip(("height", "width", "channels"), image)), "contextFeatures": context, **config},
        "params": initial,
        "state": start,
        "inputs": tensors(inputs),
        "outputs": {"noise": tensor(noise), "logDet": tensor(log_det), "logProb": tensor(log_p), "loss": loss.item()},
        "use": {"noise": tensor(used[0]), "logDet": tensor(used[1]), "logProb": tensor(used[2])},
        "gradients": {"inputs": {"x": tensor(x.grad)}, "params": gradients(params)},
    }
    optimizer = torch.optim.Adam(leaves, lr=lr, betas=BETAS, eps=EPS)
    batches, losses = [], []
    for _ in range(10):
        batch = {"x": normal(gen, n, size), **({"context": normal(gen, n, context)} if context else {})}
        optimizer.zero_grad()
        loss = -log_prob(flow, batch["x"], image, batch.get("context"))[2].mean()
        loss.backward()
        optimizer.step()
        batches.append(tensors(batch))
        losses.append(loss.item())
    record["training"] = {
        "optimizer": {"type": "adam", "lr": lr, "beta1": BETAS[0], "beta2": BETAS[1], "eps": EPS, "weightDecay": 0},
        "batches": batches,
        "losses": losses,
        "params": tensors(params),
    }
    return record


def glow_case(name, seed, image, n, scales, transforms, hidden, permutation, coupling, learned_prior, context=0):
    scale = {"affine": "sigmoid", "additive": "additive"}[coupling]
    return case(
        name, seed, "glow", image, n,
        lambda params, state: glow(params, state, image, scales, transforms, hidden, permutation, scale, learned_prior, context),
        {"scales": scales, "transforms": transforms, "hidden": hidden, "permutation": permutation, "coupling": coupling,
         "learnedPrior": learned_prior},
        context)


write(
    "imageFlows",
    "Image flows with parameters under the library's names; x and noise are rows [N, H·W·C], channels last; the noise of level k "
    "stands before that of level k + 1. logProb = log N(noise) + logDet, loss = -mean(logProb). outputs and gradients (of the "
    "loss) with the statistics of the batch where there is batch norm; use: with the running ones of state. training: ten "
    "steps of Adam on batches[t], losses[t] before step t, params after the last.",
    [
        glow_case("glow-affine-lu-prior-context", 101, (4, 8, 1), 3, 2, 1, 4, "lu", "affine", True, context=3),
        glow_case("glow-affine-lu-prior", 102, (4, 4, 2), 3, 2, 1, 4, "lu", "affine", True),
        glow_case("glow-additive-reverse", 103, (4, 2, 3), 4, 1, 2, 5, "reverse", "additive", False),
        case("realnvp-two-scales", 104, "realnvp", (4, 4, 1), 3,
             lambda params, state: realnvp(params, state, (4, 4, 1), 2, 2, 1),
             {"scales": 2, "hidden": 2, "blocks": 1}),
    ],
)
