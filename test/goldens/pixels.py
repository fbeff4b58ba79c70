"""PixelCNN (plain, gated) and PixelRNN (Row LSTM, Diagonal BiLSTM): whole kernels times masks, the skew of the paper."""

import torch
import torch.nn.functional as F

from golden import generator, gradients, normal, tensor, write


def color(k, channels, count, parts=1):
    """Group of channel k; `parts` equal parts, each of all groups."""
    width = channels // parts
    return (k % width) * count // width


class Net:
    """Parameters by the library's names, made when they are first asked for. Images [N, C, H, W]."""

    def __init__(self, seed, colors):
        self.gen, self.colors, self.params = generator(seed), colors, {}

    def tensor(self, name, *shape, scale):
        if name not in self.params:
            self.params[name] = normal(self.gen, *shape, scale=scale).requires_grad_(True)
        return self.params[name]

    def conv(self, name, x, outputs, kernel, kind, parts=1, bias=True, groups=True):
        """kind: A, B; above (rows above), upto (rows up to its own); all."""
        inputs, (kh, kw) = x.shape[1], kernel
        weight = self.tensor(f"{name}.weight", outputs, kh * kw * inputs, scale=1 / (kh * kw * inputs) ** 0.5)
        b = self.tensor(f"{name}.bias", outputs, scale=0.3) if bias else None
        mask = torch.ones(outputs, kh, kw, inputs)
        r, c = kh // 2, kw // 2
        mask[:, r + 1:] = 0
        if kind in ("A", "B"):
            mask[:, r, c + 1:] = 0
            for o in range(outputs):
                for i in range(inputs):
                    if groups:
                        to, seen = color(o, outputs, self.colors, parts), color(i, inputs, self.colors)
                        mask[o, r, c, i] = seen < to or (kind == "B" and seen == to)
        if kind == "above":
            mask[:, r] = 0
        kernels = weight.reshape(outputs, kh, kw, inputs) * mask
        return F.conv2d(x, kernels.permute(0, 3, 1, 2), b, padding=(r, c))

    def head(self, x, hidden, outputs):
        x = torch.relu(self.conv("head.0", torch.relu(x), hidden, (1, 1), "B"))
        return self.conv("head.1", x, outputs, (1, 1), "B")

    def state(self, name, hidden, taps):
        return self.tensor(f"{name}.weight", 4 * hidden, taps * hidden, scale=0.6)


def plain(net, x, layers, hidden, outputs):
    x = net.conv("first", x, 2 * hidden, (3, 3), "A")
    for k in range(layers):
        y = torch.relu(net.conv(f"blocks.{k}.down", torch.relu(x), hidden, (1, 1), "B"))
        y = torch.relu(net.conv(f"blocks.{k}.middle", y, hidden, (3, 3), "B"))
        x = net.conv(f"blocks.{k}.up", y, 2 * hidden, (1, 1), "B") + x
    return net.head(x, 2 * hidden, outputs)


def gate(x):
    a, b = x.chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)


def gated(net, x, layers, hidden, outputs, context):
    v = h = x
    for k in range(layers + 1):
        name = f"layers.{k}"
        below = net.conv(f"{name}.vertical", v, 2 * hidden, (3, 3), "above" if k == 0 else "upto")
        across = 0
        if context is not None:
            to = lambda part: (context @ net.tensor(f"{name}.{part}.weight", 2 * hidden, context.shape[1], scale=0.5).T)
            below = below + to("verticalContext")[:, :, None, None]
            across = to("context")[:, :, None, None]
        across = across + net.conv(f"{name}.across", below, 2 * hidden, (1, 1), "all", bias=False)
        gates = across + net.conv(f"{name}.horizontal", h, 2 * hidden, (1, 3), "A" if k == 0 else "B", parts=2)
        out = net.conv(f"{name}.out", gate(gates), hidden, (1, 1), "B")
        h = out if k == 0 else h + out
        v = gate(below)
    return net.head(h, 2 * hidden, outputs)


def cell(z, c):
    i, f, o, g = z.chunk(4, dim=1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def row_lstm(z, weight):
    """State-to-state: a 1×3 convolution of the row above."""
    hidden = z.shape[1] // 4
    kernel = weight.reshape(4 * hidden, 3, hidden).permute(0, 2, 1)
    h = c = z.new_zeros(z.shape[0], hidden, z.shape[3])
    rows = []
    for r in range(z.shape[2]):
        h, c = cell(z[:, :, r] + F.conv1d(h, kernel, padding=1), c)
        rows.append(h)
    return torch.stack(rows, dim=2)


def diagonal(z, weight):
    """Row r moved r places to the right, so that a diagonal is a column; from column to column a 2×1 convolution."""
    hidden, (height, width) = z.shape[1] // 4, z.shape[2:]
    skewed = torch.stack([F.pad(z[:, :, r], (r, height - 1 - r)) for r in range(height)], dim=2)
    own, above = weight.chunk(2, dim=1)
    h = c = z.new_zeros(z.shape[0], hidden, height)
    columns = []
    for k in range(height + width - 1):
        from_above = F.pad(h, (1, 0))[:, :, :-1]
        sums = torch.einsum("oh,nhr->nor", own, h) + torch.einsum("oh,nhr->nor", above, from_above)
        h, c = cell(skewed[:, :, :, k] + sums, c)
        # A row that has not begun, or is over, has no state.
        live = torch.tensor([1.0 if r <= k < r + width else 0.0 for r in range(height)])
        h, c = h * live, c * live
        columns.append(h)
    out = torch.stack(columns, dim=3)
    return torch.stack([out[:, :, r, r:r + width] for r in range(height)], dim=2)


def rnn(net, x, layers, hidden, outputs, scan):
    x = net.conv("first", x, 2 * hidden, (3, 3), "A")
    for k in range(layers):
        name = f"layers.{k}"
        if scan == "row":
            z = net.conv(f"{name}.input", x, 4 * hidden, (1, 3), "B", parts=4)
            states = row_lstm(z, net.state(f"{name}.down", hidden, 3))
        else:
            right = net.conv(f"{name}.rightInput", x, 4 * hidden, (1, 1), "B", parts=4)
            states = diagonal(right, net.state(f"{name}.right", hidden, 2))
            left = net.conv(f"{name}.leftInput", x, 4 * hidden, (1, 1), "all")
            mirrored = diagonal(left.flip(3), net.state(f"{name}.left", hidden, 2)).flip(3)
            states = states + F.pad(mirrored, (0, 0, 1, 0))[:, :, :-1]
        x = net.conv(f"{name}.up", states, 2 * hidden, (1, 1), "B") + x
    return net.head(x, 2 * hidden, outputs)


def case(name, seed, network, size, channels, levels, layers, hidden, context=0):
    gen = generator(seed)
    n, height, width = size
    levels_of = torch.randint(0, levels, (n, height, width, channels), generator=gen)
    binary = levels == 2
    net = Net(seed + 1, channels)
    x = levels_of.permute(0, 3, 1, 2).to(torch.float64)
    x = x if binary else 2 * x / (levels - 1) - 1
    c = normal(gen, n, context) if context else None
    outputs = channels * (1 if binary else levels)
    if network in ("plain", "gated"):
        logits = plain(net, x, layers, hidden, outputs) if network == "plain" else gated(net, x, layers, hidden, outputs, c)
    else:
        logits = rnn(net, x, layers, hidden, outputs, network)
    rows = logits.permute(0, 2, 3, 1)
    if binary:
        log_prob = -F.binary_cross_entropy_with_logits(rows, levels_of.to(torch.float64), reduction="none").flatten(1).sum(1)
    else:
        each = F.log_softmax(rows.reshape(n, height, width, channels, levels), dim=4).gather(4, levels_of[..., None])
        log_prob = each.flatten(1).sum(1)
    weights = normal(gen, n)
    (log_prob * weights).sum().backward()
    return {
        "name": name, "seed": seed, "network": network, "image": [height, width, channels], "levels": levels,
        "layers": layers, "hidden": hidden,
        "x": tensor(levels_of.reshape(n, -1)), "context": tensor(c) if context else None,
        "params": {key: tensor(value) for key, value in net.params.items()},
        "logits": tensor(rows.reshape(n * height * width, -1)), "logProb": tensor(log_prob),
        "outputWeights": tensor(weights), "gradients": gradients(net.params),
    }


write(
    "pixels",
    "Autoregressive networks of images [N, H*W*C]: logits [N*H*W, .], log p, gradients of sum(logProb*outputWeights) by the "
    "parameters, under the library's names; weights [out, (ky, kx, channel)], places beyond the mask hold numbers that count nothing.",
    [
        case("plain, binary", 601, "plain", (2, 4, 5), 1, 2, 2, 3),
        case("plain, colours", 603, "plain", (2, 3, 3), 3, 4, 1, 3),
        case("gated, binary, context", 605, "gated", (2, 4, 5), 1, 2, 2, 3, context=2),
        case("gated, two channels", 607, "gated", (2, 3, 4), 2, 3, 1, 4),
        case("row LSTM, binary", 609, "row", (2, 4, 5), 1, 2, 2, 3),
        case("diagonal BiLSTM, binary", 611, "diagonal", (2, 4, 5), 1, 2, 2, 3),
        case("diagonal BiLSTM, two channels", 613, "diagonal", (2, 4, 3), 2, 3, 1, 2),
    ],
)
