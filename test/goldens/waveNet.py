"""WaveNet (van den Oord et al. 2016) by PyTorch's convolutions, and a Parallel WaveNet with ClariNet's distillation.

Parameters have the names and layouts of ours: weight [2G, 2R + C] = [sample before | own | condition].
"""

import math

import torch
import torch.nn.functional as F

from golden import generator, gradients, normal, tensor, tensors, write


class Net:
    """A WaveNet: `sizes` are R, G, S, H; layers have dilations 1, 2, … `depth` of a stack."""

    def __init__(self, gen, prefix, outputs, depth, stacks, sizes, condition=0, levels=None):
        self.prefix, self.depth, self.count, self.levels = prefix, depth, depth * stacks, levels
        R, G, S, H = self.sizes = sizes
        self.condition = condition
        p = {}
        if levels is None:
            p["input.weight"], p["input.bias"] = normal(gen, R, 1), normal(gen, R, scale=0.3)
        else:
            p["input.weight"] = normal(gen, levels + 1, R)
        for l in range(self.count):
            rows = S + (R if l + 1 < self.count else 0)
            p[f"layers.{l}.weight"] = normal(gen, 2 * G, 2 * R + condition, scale=0.5)
            p[f"layers.{l}.bias"] = normal(gen, 2 * G, scale=0.3)
            p[f"layers.{l}.outputWeight"] = normal(gen, rows, G, scale=0.6)
            p[f"layers.{l}.outputBias"] = normal(gen, rows, scale=0.3)
        p["head.weight"], p["head.bias"] = normal(gen, H, S, scale=0.5), normal(gen, H, scale=0.3)
        p["last.weight"], p["last.bias"] = normal(gen, outputs, H, scale=0.4), normal(gen, outputs, scale=0.3)
        self.params = {f"{prefix}{name}": value.requires_grad_(True) for name, value in p.items()}

    def __getitem__(self, name):
        return self.params[self.prefix + name]

    def __call__(self, x, c=None):
        """x [N, T], c [N, C, T] → [N, O, T]; output t sees x before t."""
        R, G, S, _ = self.sizes
        if self.levels is None:
            before = F.pad(x[:, :-1], (1, 0)).unsqueeze(1)
            h = F.conv1d(before, self["input.weight"].unsqueeze(-1), self["input.bias"])
        else:
            before = F.pad(x[:, :-1].long(), (1, 0), value=self.levels)
            h = F.embedding(before, self["input.weight"]).transpose(1, 2)
        skips = 0
        for l in range(self.count):
            weight, out = self[f"layers.{l}.weight"], self[f"layers.{l}.outputWeight"]
            taps = torch.stack([weight[:, :R], weight[:, R : 2 * R]], dim=-1)
            d = 2 ** (l % self.depth)
            z = F.conv1d(F.pad(h, (d, 0)), taps, self[f"layers.{l}.bias"], dilation=d)
            if self.condition:
                z = z + F.conv1d(c, weight[:, 2 * R :].unsqueeze(-1))
            g = torch.tanh(z[:, :G]) * torch.sigmoid(z[:, G:])
            y = F.conv1d(g, out.unsqueeze(-1), self[f"layers.{l}.outputBias"])
            skips = skips + y[:, :S]
            if l + 1 < self.count:
                h = h + y[:, S:]
        h = F.conv1d(F.relu(skips), self["head.weight"].unsqueeze(-1), self["head.bias"])
        return F.conv1d(F.relu(h), self["last.weight"].unsqueeze(-1), self["last.bias"])


def upsampled(params, context, count, channels, hop, outputs):
    """The local frames by a transposed convolution of stride hop, and what holds for the whole sequence."""
    n = context.shape[0]
    frames = context[:, : count * channels].reshape(n, count, channels).transpose(1, 2)
    # [hop·C, channels], row (moment, column) → [channels, C, hop]
    kernel = params["condition.frames"].reshape(hop, outputs, channels).permute(2, 1, 0)
    local = F.conv_transpose1d(frames, kernel, stride=hop)
    return local + (context[:, count * channels :] @ params["condition.global"].T).unsqueeze(-1)


def categorical():
    gen = generator(91)
    net = Net(gen, "network.", 5, 3, 2, (4, 3, 5, 6), levels=5)
    x = torch.randint(0, 5, (3, 14), generator=gen)
    log_prob = -F.cross_entropy(net(x), x, reduction="none").sum(1)
    loss = -log_prob.mean()
    loss.backward()
    return {
        "name": "categorical",
        "inputs": {"x": tensor(x.double())},
        "params": tensors(net.params),
        "outputs": {"logProb": tensor(log_prob), "loss": loss.item()},
        "gradients": gradients(net.params),
    }


def gaussian():
    gen = generator(92)
    channels, hop, count, outputs = 2, 3, 4, 3
    net = Net(gen, "network.", 2, 2, 2, (4, 5, 3, 4), condition=outputs)
    params = {
        "condition.frames": normal(gen, hop * outputs, channels).requires_grad_(True),
        "condition.global": normal(gen, outputs, 2).requires_grad_(True),
        **net.params,
    }
    x, context = normal(gen, 2, hop * count), normal(gen, 2, count * channels + 2)
    y = net(x, upsampled(params, context, count, channels, hop, outputs))
    scale = torch.exp(torch.clamp(y[:, 1], min=-9))
    log_prob = torch.distributions.Normal(y[:, 0], scale).log_prob(x).sum(1)
    loss = -log_prob.mean()
    loss.backward()
    return {
        "name": "gaussian, local and global condition",
        "inputs": {"x": tensor(x), "context": tensor(context)},
        "params": tensors(params),
        "outputs": {"logProb": tensor(log_prob), "loss": loss.item()},
        "gradients": gradients(params),
    }


def student():
    """ClariNet: closed-form KL of Gaussians with λ = 4, and the power loss with weight 0.5 of an STFT of 8 samples, hop 3."""
    gen = generator(93)
    teacher = Net(gen, "network.", 2, 2, 1, (4, 4, 4, 4))
    flows = [Net(gen, f"flows.{k}.", 2, 2, 1, (3, 3, 3, 3)) for k in range(2)]
    z, rows = normal(gen, 2, 20), normal(gen, 2, 20)
    x, m, log = z, torch.zeros_like(z), torch.zeros_like(z)
    for net in flows:
        y = net(x)
        shift, a = y[:, 0], torch.clamp(y[:, 1], min=-7)
        x, m, log = x * torch.exp(a) + shift, m * torch.exp(a) + shift, log + a
    y = teacher(x)
    p = torch.distributions.Normal(y[:, 0], torch.exp(torch.clamp(y[:, 1], min=-9)))
    q = torch.distributions.Normal(m, torch.exp(log))
    ratio = torch.log(p.scale) - log
    divergence = (torch.distributions.kl_divergence(q, p) + 4 * ratio**2).mean()

    def spectrum(signal):
        window = torch.hann_window(8, periodic=True)
        s = torch.stft(signal, 8, hop_length=3, window=window, center=False, return_complex=True)
        return (s.abs() ** 2).mean(dim=(0, 2)) / (window**2).sum()

    loss = divergence + 0.5 * ((spectrum(x) - spectrum(rows)) ** 2).mean()
    loss.backward()
    params = {name: value for net in flows for name, value in net.params.items()}
    normal_density = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) - log.sum(1)
    return {
        "name": "student",
        "inputs": {"z": tensor(z), "rows": tensor(rows)},
        "teacher": tensors(teacher.params),
        "params": tensors(params),
        "outputs": {"x": tensor(x), "logProb": tensor(normal_density), "divergence": divergence.item(), "loss": loss.item()},
        "gradients": gradients(params),
    }


write(
    "waveNet",
    "WaveNets: logProb [N] and the gradients of its negative mean; student: x of the noise z, its log-density, loss of the distillation.",
    [categorical(), gaussian(), student()],
)
