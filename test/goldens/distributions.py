"""log p of the base distributions and its gradients, in the middle and far out in the tails."""

import math

import torch
import torch.distributions as dist

from golden import generator, gradients, normal, tensor, tensors, write


def case(name, seed, kind, x, params, log_prob):
    gen = generator(1000 + seed)
    leaves = {"x": x, **params}
    leaves = {key: value.clone().requires_grad_(True) for key, value in leaves.items()}
    values = log_prob(**leaves)
    weights = normal(gen, *values.shape)
    # A row outside the support has log p = -Infinity and the gradient zero; it is left out of the sum.
    inside = torch.isfinite(values)
    (values[inside] * weights[inside]).sum().backward()
    return {
        "name": name,
        "seed": seed,
        "distribution": kind,
        "inputs": {"x": tensor(x)},
        "params": tensors(params),
        "outputs": {"logProb": tensor(values)},
        "outputWeights": tensor(weights),
        "gradients": gradients(leaves),
    }


def standard_normal(x):
    return dist.Normal(0.0, 1.0).log_prob(x).sum(dim=1)


def diagonal_normal(x, loc, logScale):
    return dist.Normal(loc, torch.exp(logScale)).log_prob(x).sum(dim=1)


def logistic(x, loc, logScale):
    z = (x - loc) * torch.exp(-logScale)
    return (-z - 2 * torch.nn.functional.softplus(-z) - logScale).sum(dim=1)


def uniform(x, low, high):
    return dist.Uniform(low, high, validate_args=False).log_prob(x).sum(dim=1)


def mixture_of_gaussians(x, logits, loc, logScale):
    """One mixture of K diagonal Gaussians over the whole row."""
    components = dist.Independent(dist.Normal(loc, torch.exp(logScale)), 1)
    return dist.MixtureSameFamily(dist.Categorical(logits=logits), components).log_prob(x)


def student_t(x, logDegrees):
    return dist.StudentT(torch.exp(logDegrees)).log_prob(x).sum(dim=1)


def resampled(truncation, normalizer):
    """Stimper et al. 2022, eq. 4, over standard normal proposals, Z given; the network is one tanh layer."""

    def log_prob(x, **params):
        weights = [params[f"network.{name}"] for name in ("hidden.0.weight", "hidden.0.bias", "output.weight", "output.bias")]
        hidden = torch.tanh(x @ weights[0].T + weights[1])
        accepted = torch.sigmoid(hidden @ weights[2].T + weights[3])[:, 0]
        forced = (1 - normalizer) ** (truncation - 1)
        return standard_normal(x) + torch.log((1 - forced) * accepted / normalizer + forced)

    return log_prob


def bernoulli(x, logits):
    return dist.Bernoulli(logits=logits).log_prob(x).sum(dim=1)


def rows(seed, n, d, scale=1.5):
    return normal(generator(seed), n, d, scale=scale)


def vec(seed, *shape, scale=0.6):
    return normal(generator(seed), *shape, scale=scale)


D = 4
tails = torch.tensor([[30.0, -30.0, 5.0, -5.0], [-38.0, 12.0, 0.0, 1e-9], [200.0, -200.0, 1.0, -1.0]])
loc, log_scale = vec(51, D, scale=1.0), vec(52, D)
low, high = -1.0 - vec(53, D).abs(), 0.5 + vec(54, D).abs()
inside = low + (high - low) * torch.rand(5, D, generator=generator(55)) * 0.98 + 0.01 * (high - low)
outside = inside.clone()
outside[1, 2] = high[2] + 0.25
outside[3, 0] = low[0] - 1.0
mixture = {"logits": vec(56, 3, scale=1.0), "loc": vec(57, 3, D, scale=2.0), "logScale": vec(58, 3, D)}
network = {
    "network.hidden.0.weight": vec(70, 5, D),
    "network.hidden.0.bias": vec(71, 5),
    "network.output.weight": vec(72, 1, 5, scale=2.0),
    "network.output.bias": vec(73, 1),
}
binary = (torch.rand(6, D, generator=generator(59)) < 0.5).to(torch.float64)

write(
    "distributions",
    "logProb [N] of rows x [N, D]; gradients of sum(logProb*outputWeights) over the rows with a finite logProb. normal and "
    "logistic: loc [D], logScale [D]; uniform: low, high [D], -Infinity outside; mixtureOfGaussians: logits [K], loc and "
    "logScale [K, D], one mixture over whole rows; studentT: logDegrees [D]; resampled: standard normal proposals, a network of 5 tanh units, T = 4, "
    "Z = 0.37; bernoulli: logits [N, D], x of 0 and 1 (its gradient for x is not given a use). "
    "Infinities are strings.",
    [
        case("standard-normal", 51, "standardNormal", rows(60, 6, D), {}, standard_normal),
        case("standard-normal-tails", 52, "standardNormal", tails, {}, standard_normal),
        case("normal", 53, "normal", rows(61, 6, D), {"loc": loc, "logScale": log_scale}, diagonal_normal),
        case("logistic", 54, "logistic", rows(62, 6, D), {"loc": loc, "logScale": log_scale}, logistic),
        case("logistic-tails", 55, "logistic", tails, {"loc": loc, "logScale": log_scale}, logistic),
        case("uniform", 56, "uniform", inside, {"low": low, "high": high}, uniform),
        case("uniform-outside", 57, "uniform", outside, {"low": low, "high": high}, uniform),
        case("mixture", 58, "mixtureOfGaussians", rows(63, 7, D, scale=2.0), mixture, mixture_of_gaussians),
        case("mixture-tails", 59, "mixtureOfGaussians", tails, mixture, mixture_of_gaussians),
        case("student-t", 62, "studentT", rows(65, 6, D), {"logDegrees": vec(66, D, scale=1.5)}, student_t),
        case("student-t-tails", 63, "studentT", tails, {"logDegrees": torch.tensor([-2.0, 0.0, 3.0, 5.0])}, student_t),
        case("resampled", 64, "resampled", rows(67, 6, D), network, resampled(4, 0.37)),
        case("bernoulli", 60, "bernoulli", binary, {"logits": vec(64, 6, D, scale=3.0)}, bernoulli),
        case("bernoulli-tails", 61, "bernoulli", binary[:2], {"logits": torch.tensor([[40.0, -40.0, 800.0, -800.0],
                                                                                     [-36.0, 36.0, 0.0, 1e-12]])}, bernoulli),
    ],
)
