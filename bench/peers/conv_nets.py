"""The networks of Glow's couplings alone: forward and backward, gradients by all weights and by the input."""

import torch

import models

# Side of the images and input channels of the three levels of Glow at 32×32×3.
LEVELS = [(16, 6), (8, 12), (4, 24)]
# Case: levels, networks a level, hidden channels.
NETWORKS = {
    "conv:glow": (LEVELS, 8, 128),
    "conv:glow-wide": (LEVELS, 4, 512),
    **{f"conv:level{level + 1}": ([LEVELS[level]], 1, 128) for level in range(3)},
}
CASES = list(NETWORKS)


def repetition(case, variant):
    levels, count, hidden = NETWORKS[case]
    # oneDNN's convolutions have two layouts.
    layout = torch.contiguous_format if variant == "eager" else torch.channels_last
    jobs = []
    for side, inputs in levels:
        for _ in range(count):
            net = models.ConvCoupling(2 * inputs, hidden).net.to(memory_format=layout)
            x = torch.randn(16, inputs, side, side).contiguous(memory_format=layout).requires_grad_(True)
            weight = torch.randn(16, 2 * inputs, side, side).contiguous(memory_format=layout)
            jobs.append((torch.compile(net) if variant == "compile" else net, x, weight))
    leaves = [leaf for net, x, _ in jobs for leaf in (x, *net.parameters())]

    def run():
        for leaf in leaves:
            leaf.grad = None
        loss = sum((net(x) * weight).sum() for net, x, weight in jobs)
        loss.backward()
        return loss

    return run
