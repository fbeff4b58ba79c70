"""The batch-norm bijection (Papamakarios et al. 2017, section 3.3 and appendix B): training and evaluation mode."""

from golden import generator, gradients, normal, tensor, tensors, write
from maf import BatchNorm


def case(name, seed, n, features, evaluation=False):
    gen = generator(seed)
    layer = BatchNorm(gen, features)
    x = normal(gen, n, features) * (0.2 + 2 * normal(gen, features).abs()) + normal(gen, features, scale=3)
    x.requires_grad_(True)
    statistics = None
    if evaluation:
        statistics = (normal(gen, features), 0.1 + normal(gen, features) ** 2)
    y, log_det, seen = layer(x, statistics)
    y_weights, log_det_weights = normal(gen, n, features), normal(gen, n)
    loss = (y * y_weights).sum() + (log_det * log_det_weights).sum()
    loss.backward()
    return {
        "name": name,
        "seed": seed,
        "mode": "evaluation" if evaluation else "training",
        "layer": layer.record(),
        "inputs": {"x": tensor(x)},
        "statistics": {"mean": tensor(seen[0]), "variance": tensor(seen[1])},
        "outputs": {"y": tensor(y), "logDet": tensor(log_det)},
        "outputWeights": {"y": tensor(y_weights), "logDet": tensor(log_det_weights)},
        "loss": loss.item(),
        "gradients": gradients({"x": x, **layer.params}),
    }


write(
    "batchNorm",
    "y = (x - m)/sqrt(v + eps)*exp(logGamma) + beta, v biased; logDet [N] = sum(logGamma - log(v + eps)/2), the same for "
    "each row. training: m and v are of the batch and take part in the gradient; evaluation: they are given. "
    "loss = sum(y*outputWeights.y) + sum(logDet*outputWeights.logDet).",
    [
        case("training", 36, 12, 4),
        case("training-two-rows", 34, 2, 3),
        case("evaluation", 33, 9, 5, evaluation=True),
    ],
)
