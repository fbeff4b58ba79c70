"""A MAF of residual MADEs with a context and batch norm, through a whole training: Adam or AdamW, the norm clipped, the learning rate
along half a cosine, an average of the parameters. The names of the parameters are the library's.
"""

import math

import torch

from golden import generator, hidden_degrees, input_degrees, mask, normal, standard_normal_log_prob, tensor, tensors, write

FEATURES, CONTEXT, WIDTH, TRANSFORMS, ROWS, STEPS, EPS = 4, 2, 7, 2, 16, 10, 1e-5


class Layers:
    def __init__(self, gen):
        inputs = input_degrees(FEATURES, "natural")
        hidden = hidden_degrees(FEATURES, WIDTH, lowest=0)
        outputs = [degree for degree in inputs for _ in range(2)]
        self.masks = {"hidden.0": mask(hidden, inputs, False), "hidden.1": mask(hidden, hidden, False),
                      "hidden.2": mask(hidden, hidden, False), "output": mask(outputs, hidden, True),
                      "direct": mask(outputs, inputs, True)}
        self.params = {}
        for k in range(TRANSFORMS):
            for name, allowed in self.masks.items():
                self.params[f"{self.made(k)}.{name}.weight"] = normal(gen, *allowed.shape, scale=0.5) * allowed
                if name != "direct":
                    self.params[f"{self.made(k)}.{name}.bias"] = normal(gen, allowed.shape[0], scale=0.3)
            self.params[f"{self.made(k)}.context.weight"] = normal(gen, WIDTH, CONTEXT, scale=0.5)
            for name in ("logGamma", "beta"):
                self.params[f"{self.norm(k)}.{name}"] = normal(gen, FEATURES, scale=0.3)
        for value in self.params.values():
            value.requires_grad_(True)

    # A chain of [MADE, batch norm, reversal, MADE, batch norm].
    def made(self, k):
        return f"bijection.{3 * k}.made"

    def norm(self, k):
        return f"bijection.{3 * k + 1}"

    def linear(self, k, name, x, bias=True):
        key = f"{self.made(k)}.{name}"
        y = x @ (self.params[f"{key}.weight"] * self.masks[name]).T
        return y + self.params[f"{key}.bias"] if bias else y

    def log_prob(self, x, context):
        total = torch.zeros(x.shape[0])
        for k in range(TRANSFORMS):
            if k > 0:
                x = x.flip(1)
            h = self.linear(k, "hidden.0", x) + context @ self.params[f"{self.made(k)}.context.weight"].T
            h = h + self.linear(k, "hidden.2", torch.tanh(self.linear(k, "hidden.1", torch.tanh(h))))
            out = self.linear(k, "output", torch.tanh(h)) + self.linear(k, "direct", x, bias=False)
            mean, raw = out[:, 0::2], out[:, 1::2]
            scale = raw / (1 + raw.abs() / 3)
            x = (x - mean) * torch.exp(-scale)
            centre, variance = x.mean(dim=0), x.var(dim=0, unbiased=False)
            log_gamma = self.params[f"{self.norm(k)}.logGamma"]
            x = (x - centre) / torch.sqrt(variance + EPS) * torch.exp(log_gamma) + self.params[f"{self.norm(k)}.beta"]
            total = total - scale.sum(dim=1) + (log_gamma - 0.5 * torch.log(variance + EPS)).sum()
        return standard_normal_log_prob(x) + total


def case(name, kind, seed, lr, weight_decay, clip_norm):
    gen = generator(seed)
    layers = Layers(gen)
    x, context = normal(gen, ROWS, FEATURES, scale=1.5), normal(gen, ROWS, CONTEXT)
    initial = tensors(layers.params)
    parameters = list(layers.params.values())
    make = torch.optim.AdamW if kind == "adamW" else torch.optim.Adam
    optimizer = make(parameters, lr=lr, betas=(0.9, 0.99), eps=1e-8, weight_decay=weight_decay)
    average = {key: value.detach().clone() for key, value in layers.params.items()}
    losses = []
    for step in range(STEPS):
        cosine = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min(1, step / (STEPS - 2))))
        optimizer.param_groups[0]["lr"] = lr * cosine
        optimizer.zero_grad()
        loss = -layers.log_prob(x, context).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
        optimizer.step()
        losses.append(loss.item())
        decay = min(0.9, (1 + step) / (10 + step))
        for key, value in layers.params.items():
            average[key] = decay * average[key] + (1 - decay) * value.detach()
    return {"name": name, "optimizer": {"kind": kind, "lr": lr, "weightDecay": weight_decay}, "clipNorm": clip_norm,
            "x": tensor(x), "context": tensor(context), "initial": initial, "losses": losses,
            "parameters": tensors(layers.params), "average": tensors(average)}


write("training", __doc__.strip(), [
    case("adamW, clipped at 1", "adamW", 41, 0.02, 0.05, 1.0),
    case("adam with L2, not clipped", "adam", 42, 0.01, 0.02, 1e6),
])
