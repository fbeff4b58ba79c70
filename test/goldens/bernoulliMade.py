"""MADE as a density of binary data (Germain et al. 2015): Bernoulli outputs, direct input-output connections."""

import torch

from golden import Made, generator, gradients, tensor, tensors, write


def case(name, seed, n, **options):
    gen = generator(seed)
    made = Made(gen, per_feature=1, direct=True, **options)
    x = (torch.rand(n, made.features, generator=gen) < 0.45).to(torch.float64)
    logits = made(x)
    logits.retain_grad()
    # Eq. 4: log p(x_d | x_<d) = x_d log σ(l_d) + (1 − x_d) log(1 − σ(l_d)) = x_d·l_d − softplus(l_d).
    log_prob = (x * logits - torch.nn.functional.softplus(logits)).sum(dim=1)
    loss = -log_prob.mean()
    loss.backward()
    return {
        "name": name,
        "seed": seed,
        "made": made.record(),
        "inputs": {"x": tensor(x)},
        "outputs": {"logits": tensor(logits), "logProb": tensor(log_prob), "loss": loss.item()},
        "gradients": gradients({"logits": logits, **made.params}),
    }


def total_probability(case_record):
    """The probabilities of all 2^D rows add up to one: the masks are right."""
    gen = generator(case_record["seed"])
    record = case_record["made"]
    made = Made(gen, record["features"], 1, record["hidden"], order=record["inputDegrees"], direct=True)
    d = record["features"]
    rows = torch.tensor([[float((i >> j) & 1) for j in range(d)] for i in range(2**d)])
    logits = made(rows)
    total = (rows * logits - torch.nn.functional.softplus(logits)).sum(dim=1).exp().sum().item()
    assert abs(total - 1) < 1e-12, total


CASES = [
    case("one-hidden", 71, 8, features=6, hidden=[14]),
    case("two-hidden-given-order", 72, 8, features=7, hidden=[15, 12], order=[4, 1, 7, 2, 6, 3, 5]),
]
for item in CASES:
    total_probability(item)
write(
    "bernoulliMade",
    "logits [N, D] = MADE(x) + x*direct; loss = -mean over rows of log p; gradients of the loss for logits and all parameters.",
    CASES,
)
