"""Softmax and mixtures of discretised logistics over levels, by torch's own log_softmax and by PixelCNN++'s formulas."""

import torch
import torch.nn.functional as F

from golden import generator, gradients, normal, tensor, write


def case(name, seed, leaves, x, log_prob, **more):
    weights = normal(generator(seed), *log_prob.shape)
    (log_prob * weights).sum().backward()
    return {"name": name, "seed": seed, **more, "x": tensor(x), "inputs": {k: tensor(v) for k, v in leaves.items()},
            "logProb": tensor(log_prob), "outputWeights": tensor(weights), "gradients": gradients(leaves)}


def categorical(name, seed, samples, positions, channels, levels):
    gen = generator(seed)
    rows = samples * positions
    logits = normal(gen, rows, channels * levels, scale=2.0).requires_grad_(True)
    x = torch.randint(0, levels, (rows, channels), generator=gen)
    each = F.log_softmax(logits.reshape(rows, channels, levels), dim=2).gather(2, x[:, :, None])[:, :, 0]
    return case(name, seed + 1, {"params": logits}, x, each.reshape(samples, -1).sum(1), kind="categorical",
                positions=positions, levels=levels)


def mixture(name, seed, samples, positions, channels, mixtures, levels, least=-7.0):
    """discretized_mix_logistic_loss of openai/pixel-cnn, without its clip at 1e-12 and its density at small bins."""
    gen = generator(seed)
    rows = samples * positions
    pairs = channels * (channels - 1) // 2
    params = normal(gen, rows, mixtures * (1 + 2 * channels + pairs), scale=0.7)
    # Log-scales around −3: bins that are small beside the scale, and some beyond the clamp.
    params[:, (1 + channels) * mixtures:(1 + 2 * channels) * mixtures] -= 3.0
    params[0, (1 + channels) * mixtures] = least - 1
    params.requires_grad_(True)
    x = torch.randint(0, levels, (rows, channels), generator=gen)
    x[0] = 0
    x[-1] = levels - 1
    v = 2 * x.to(torch.float64) / (levels - 1) - 1
    blocks = params.reshape(rows, -1, mixtures)
    logits, means, scales, coefficients = torch.split(blocks, [1, channels, channels, pairs], dim=1)
    scales = torch.clamp(scales, min=least)
    total, pair = torch.log_softmax(logits[:, 0], dim=1), 0
    for c in range(channels):
        mean = means[:, c]
        for j in range(c):
            mean = mean + torch.tanh(coefficients[:, pair]) * v[:, j:j + 1]
            pair += 1
        inverse = torch.exp(-scales[:, c])
        plus = inverse * (v[:, c:c + 1] - mean + 1 / (levels - 1))
        minus = inverse * (v[:, c:c + 1] - mean - 1 / (levels - 1))
        first, last = x[:, c:c + 1] == 0, x[:, c:c + 1] == levels - 1
        # The difference on the side where both numbers are small.
        far = plus + minus > 0
        high, low = torch.where(far, -minus, plus), torch.where(far, -plus, minus)
        # A number of its own at the edges: the gradient of the logarithm there would be inf times 0.
        delta = torch.log(torch.where(first | last, 1.0, torch.sigmoid(high) - torch.sigmoid(low)))
        total = total + torch.where(first, F.logsigmoid(plus), torch.where(last, -F.softplus(minus), delta))
    log_prob = torch.logsumexp(total, dim=1).reshape(samples, positions).sum(1)
    return case(name, seed + 1, {"params": params}, x, log_prob, kind="mixture", positions=positions, levels=levels)


write(
    "discrete",
    "log p of whole numbers x [N*P, C], a number a sample; params: logits [N*P, C*K], or mixtures of K discretised logistics in "
    "blocks of K columns: logits, means, log-scales (clamped at -7), coefficients of (c, j) = (1,0), (2,0), (2,1). "
    "gradients are of sum(logProb*outputWeights).",
    [
        categorical("binary as two levels", 501, 3, 4, 1, 2),
        categorical("mu-law", 503, 2, 3, 1, 256),
        categorical("colours", 505, 2, 2, 3, 16),
        mixture("grey", 507, 3, 4, 1, 5, 256),
        mixture("colours, mixture", 509, 2, 3, 3, 4, 256),
        mixture("16 bits", 511, 2, 3, 1, 3, 65536),
        mixture("two channels of 3 levels", 513, 2, 3, 2, 2, 3),
    ],
)
