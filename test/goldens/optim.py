"""Ten steps of Adam and AdamW on small tensors with given gradients, with and without clipping by the global norm."""

import torch

from golden import generator, normal, tensors, write


def case(name, seed, kind, clip=None, **options):
    gen = generator(seed)
    params = {"weight": normal(gen, 3, 4), "bias": normal(gen, 3), "scale": normal(gen, 1)}
    params = {key: value.requires_grad_(True) for key, value in params.items()}
    initial = tensors(params)
    optimizer = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind](params.values(), **options)
    given, norms, after = [], [], []
    for step in range(10):
        # Sizes over six orders of magnitude, signs that change, one exact zero.
        grads = {key: normal(gen, *value.shape, scale=10.0 ** ((step % 5) - 3)) for key, value in params.items()}
        grads["bias"][step % 3] = 0.0
        given.append(tensors(grads))
        for key, value in params.items():
            value.grad = grads[key].clone()
        if clip is not None:
            norms.append(torch.nn.utils.clip_grad_norm_(params.values(), clip).item())
        optimizer.step()
        after.append(tensors(params))
    group = optimizer.param_groups[0]
    return {
        "name": name,
        "seed": seed,
        "optimizer": {"type": kind, "lr": group["lr"], "beta1": group["betas"][0], "beta2": group["betas"][1],
                      "eps": group["eps"], "weightDecay": group["weight_decay"]},
        "clipNorm": clip,
        "initial": initial,
        "gradients": given,
        "norms": norms,
        "params": after,
    }


write(
    "optim",
    "gradients[t] is the gradient of step t, norms[t] the global norm before clipping (only where clipNorm is a number), "
    "params[t] the parameters after step t. Clipping multiplies by min(1, clipNorm/(norm + 1e-6)). adam has no weight decay; "
    "adamw is decoupled: p *= 1 - lr*weightDecay before the Adam step.",
    [
        case("adam", 41, "adam", lr=1e-3),
        case("adam-options", 42, "adam", lr=0.05, betas=(0.8, 0.95), eps=1e-4),
        case("adam-clip", 43, "adam", clip=0.5, lr=1e-2),
        case("adamw", 44, "adamw", lr=1e-2, weight_decay=0.1),
        case("adamw-clip", 45, "adamw", clip=2.0, lr=3e-3, weight_decay=0.02),
    ],
)
