"""MAF(3): log p, gradients of -mean log p, and the parameters after ten Adam steps."""

import torch

from golden import (Made, adam_steps, bounded, generator, gradients, masked_autoregressive, normal,
                    standard_normal_log_prob, tensor, tensors, write)


class BatchNorm:
    """The batch-norm bijection of the MAF paper, in training mode: y = (x − m)/√(v + ε)·exp(logGamma) + beta; biased v."""

    def __init__(self, gen, features, eps=1e-5):
        self.features, self.eps = features, eps
        self.params = {
            "logGamma": normal(gen, features, scale=0.3).requires_grad_(True),
            "beta": normal(gen, features, scale=0.3).requires_grad_(True),
        }

    def __call__(self, x, statistics=None):
        mean = x.mean(dim=0) if statistics is None else statistics[0]
        variance = ((x - mean) ** 2).mean(dim=0) if statistics is None else statistics[1]
        std2 = variance + self.eps
        y = (x - mean) / torch.sqrt(std2) * torch.exp(self.params["logGamma"]) + self.params["beta"]
        log_det = (self.params["logGamma"] - 0.5 * torch.log(std2)).sum().expand(x.shape[0])
        return y, log_det, (mean.detach(), variance.detach())

    def record(self):
        return {"type": "batchNorm", "features": self.features, "eps": self.eps, "params": tensors(self.params)}


class Maf:
    def __init__(self, gen, features, transforms, hidden, bound, batch_norm=False, scale=0.5, **made):
        self.bound, self.layers = bound, []
        for k in range(transforms):
            order = "natural" if k % 2 == 0 else "reversed"
            self.layers.append(Made(gen, features, 2, hidden, order=order, scale=scale, **made))
            if batch_norm:
                self.layers.append(BatchNorm(gen, features))

    def forward(self, x, context=None, statistics=None):
        """(noise, logDet, statistics of the batch-norm layers)."""
        total, seen = torch.zeros(x.shape[0]), []
        for layer in self.layers:
            if isinstance(layer, BatchNorm):
                x, log_det, stats = layer(x, None if statistics is None else statistics[len(seen)])
                seen.append(stats)
            else:
                x, log_det = masked_autoregressive(layer, x, context, self.bound)
            total = total + log_det
        return x, total, seen

    def log_prob(self, x, context=None, statistics=None):
        noise, log_det, _ = self.forward(x, context, statistics)
        return standard_normal_log_prob(noise) + log_det

    def parameters(self):
        return [value for layer in self.layers for value in layer.params.values()]

    def inverse(self, u, context=None):
        """The naive inverse: D passes a MADE, one dimension known after each."""
        for made in reversed(self.layers):
            x = torch.zeros_like(u)
            for degree in range(1, made.features + 1):
                d = made.input_degrees.index(degree)
                out = made(x, context).reshape(*u.shape, 2)
                x = x.clone()
                x[:, d] = u[:, d] * torch.exp(bounded(out[:, d, 1], self.bound)) + out[:, d, 0]
            u = x
        return u


def data(gen, n, features):
    """Curved, correlated, shifted rows: something to learn, and nothing that a sign error leaves alone."""
    z = normal(gen, n, features)
    x = z @ (torch.eye(features) + 0.4 * normal(gen, features, features)) + 0.5
    return x + 0.3 * torch.roll(x, 1, dims=1) ** 2


def case(name, seed, n, bound, hidden, features=5, transforms=3, batch_norm=False, **made):
    gen = generator(seed)
    flow = Maf(gen, features, transforms, hidden, bound, batch_norm, **made)
    rows = lambda count: {"x": data(gen, count, features),
                          **({"context": normal(gen, count, made["context"])} if made.get("context") else {})}
    inputs = rows(n)
    batches = [rows(n) for _ in range(10)]
    layers = [layer.record() for layer in flow.layers]
    for value in inputs.values():
        value.requires_grad_(True)

    noise, log_det, statistics = flow.forward(**inputs)
    log_prob = standard_normal_log_prob(noise) + log_det
    loss = -log_prob.mean()
    loss.backward()
    record = {
        "name": name,
        "seed": seed,
        "config": {"features": features, "transforms": transforms, "hidden": hidden,
                   "contextFeatures": made.get("context", 0), "activation": "relu", "boundA": bound,
                   "batchNorm": batch_norm, "base": "standardNormal"},
        "layers": layers,
        "inputs": tensors(inputs),
        "outputs": {"noise": tensor(noise), "logDet": tensor(log_det), "logProb": tensor(log_prob), "loss": loss.item()},
        "gradients": {"inputs": gradients(inputs), "layers": [gradients(layer.params) for layer in flow.layers]},
    }
    if batch_norm:
        # As at validation time: statistics of the whole training set, layer by layer, then fixed.
        with torch.no_grad():
            everything = torch.cat([batch["x"] for batch in batches])
            _, _, statistics = flow.forward(everything)
            record["evaluation"] = {
                "about": "statistics of the concatenated training batches, in one training-mode pass; then log p of inputs.x with them fixed",
                "statistics": [{"mean": tensor(mean), "variance": tensor(variance)} for mean, variance in statistics],
                "logProb": tensor(flow.log_prob(inputs["x"], statistics=statistics)),
            }
    else:
        with torch.no_grad():
            back = flow.inverse(noise.detach(), inputs.get("context"))
            assert (back - inputs["x"]).abs().max() < 1e-10, (back - inputs["x"]).abs().max()

    record["training"] = {
        **adam_steps(flow.parameters(), flow.log_prob, batches),
        "layers": [tensors(layer.params) for layer in flow.layers],
    }
    return record


ABOUT = ("MAF: layers in data -> noise order; made: u = (x - mu)*exp(-a), a = tanh(raw) where boundA is tanh, outputs "
         "interleaved (mu_0, raw_0, mu_1, raw_1, ...); orders alternate natural and reversed, nothing is permuted between. "
         "loss = -mean log p; gradients of the loss; training: ten Adam steps on the ten batches, layers = parameters after the last.")

if __name__ == "__main__":
    write("maf", ABOUT, [
        case("maf3-tanh", 21, 9, "tanh", [16, 16]),
        # Smaller weights: exp(-a) of an unbounded a would make a fixture that magnifies its own rounding.
        case("maf3-unbounded", 22, 8, "none", [12], scale=0.2),
        case("maf3-context", 24, 8, "tanh", [16, 16], context=3),
        case("maf3-context-degree-zero", 25, 8, "tanh", [11, 14], context=2, lowest_degree=0),
        case("maf3-batch-norm", 23, 16, "tanh", [16, 16], batch_norm=True),
    ])
