"""Reverse KL of a two-layer inverse autoregressive flow to an unnormalised target, with given base noise."""

import torch

from golden import (Made, generator, gradients, masked_autoregressive, normal, standard_normal_log_prob, tensor, tensors,
                    write)


def target(x, center, scale, bend):
    """log p̃(x) = −½ Σ_d ((x_d − center_d)/scale_d)² − bend·(x_1 − x_0²)²."""
    return -0.5 * (((x - center) / scale) ** 2).sum(dim=1) - bend * (x[:, 1] - x[:, 0] ** 2) ** 2


def case(name, seed, n, features, hidden, bound, context=0):
    gen = generator(seed)
    layers = [Made(gen, features, 2, hidden, order=order, context=context, scale=0.5) for order in ("natural", "reversed")]
    noise = normal(gen, n, features)
    inputs = {"noise": noise, **({"context": normal(gen, n, context)} if context else {})}
    spec = {"center": normal(gen, features, scale=0.5), "scale": 0.7 + normal(gen, features).abs(), "bend": torch.tensor(0.2)}
    x, log_det = noise, torch.zeros(n)
    for layer in layers:
        x, ld = masked_autoregressive(layer, x, inputs.get("context"), bound)
        log_det = log_det + ld
    log_q = standard_normal_log_prob(noise) - log_det
    log_target = target(x, **spec)
    loss = (log_q - log_target).mean()
    loss.backward()
    return {
        "name": name,
        "seed": seed,
        "config": {"features": features, "hidden": hidden, "contextFeatures": context, "activation": "relu",
                   "boundA": bound, "base": "standardNormal"},
        "layers": [layer.record() for layer in layers],
        "target": tensors(spec),
        "inputs": tensors(inputs),
        "outputs": {"x": tensor(x), "logDet": tensor(log_det), "logQ": tensor(log_q), "logTarget": tensor(log_target),
                    "loss": loss.item()},
        "gradients": {"layers": [gradients(layer.params) for layer in layers]},
    }


write(
    "iafReverseKl",
    "An inverse autoregressive flow samples in one pass: layers are in noise -> data order, each x = (z - mu(z))*exp(-a(z)), "
    "logDet = -sum(a) = log|det dx/dnoise| (the masked autoregressive map of maf.json, inverted: its forward runs noise -> data). "
    "log q(x) = log N(noise) - logDet; loss = mean(log q(x) - log target(x)), target(x) = -sum(((x - center)/scale)^2)/2 "
    "- bend*(x_1 - x_0^2)^2; gradients of the loss for the parameters.",
    [
        case("two-layers-tanh", 81, 10, 4, [12, 10], "tanh"),
        case("two-layers-unbounded-context", 82, 8, 3, [9], "none", context=2),
    ],
)
