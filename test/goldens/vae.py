"""Variational autoencoders: the bound, its gradients, log q of an IAF posterior, importance sampling and ten steps of Adam."""

import math

import torch

from golden import Made, generator, gradients, normal, tensor, tensors, write

BIAS = 1.5


class Net:
    """Linear layers with tanh between them. params: hidden.0.weight, hidden.0.bias, …, output.weight, output.bias."""

    def __init__(self, gen, sizes):
        self.params = {}
        last = len(sizes) - 2
        for i, (fan_in, units) in enumerate(zip(sizes, sizes[1:])):
            name = "output" if i == last else f"hidden.{i}"
            self.params[f"{name}.weight"] = normal(gen, units, fan_in, scale=1 / math.sqrt(fan_in)).requires_grad_(True)
            self.params[f"{name}.bias"] = normal(gen, units, scale=0.3).requires_grad_(True)
        self.depth = last

    def __call__(self, x):
        for i in range(self.depth):
            x = torch.tanh(x @ self.params[f"hidden.{i}.weight"].T + self.params[f"hidden.{i}.bias"])
        return x @ self.params["output.weight"].T + self.params["output.bias"]


def soft_clamp(raw, bound):
    return raw / (1 + raw.abs() / bound)


def gated(made, z, h):
    """z' = s·z + (1 − s)·m, the log-determinant by latent (Kingma et al. 2016, eqs. 12–14)."""
    out = made(z, h).reshape(z.shape[0], made.features, 2)
    s = torch.sigmoid(out[:, :, 1] + BIAS)
    return s * z + (1 - s) * out[:, :, 0], torch.log(s)


class Vae:
    def __init__(self, gen, features, latents, units, likelihood, steps, h, prior_layers):
        self.latents, self.likelihood = latents, likelihood
        self.encoder = Net(gen, [features, units, 2 * latents + (h if steps else 0)])
        self.decoder = Net(gen, [latents, units, features * (2 if likelihood == "normal" else 1)])
        orders = ["natural", "reversed"] * 2
        made = dict(features=latents, per_feature=2, hidden=[7], activation="elu", scale=0.4)
        self.posterior = [Made(gen, order=orders[t], context=h, lowest_degree=0, **made) for t in range(steps)]
        self.prior = [Made(gen, order=orders[k], **made) for k in range(prior_layers)]

    def parts(self):
        return {"encoder": self.encoder, "decoder": self.decoder}

    def all(self):
        modules = [self.encoder, self.decoder, *self.posterior, *self.prior]
        return [value for module in modules for value in module.params.values()]

    def draw(self, x, noise):
        """z, log q(z|x) by latent [N, L] (the constants −log(2π)/2 in it), mean and log σ of the Gaussian."""
        made = self.encoder(x)
        pairs = made[:, : 2 * self.latents].reshape(x.shape[0], self.latents, 2)
        mean, log_scale = pairs[:, :, 0], soft_clamp(pairs[:, :, 1], 10.0)
        h = made[:, 2 * self.latents:]
        z = mean + torch.exp(log_scale) * noise
        log_q = -0.5 * noise**2 - 0.5 * math.log(2 * math.pi) - log_scale
        for step in self.posterior:
            z, log_det = gated(step, z, h)
            log_q = log_q - log_det
        # A fixed factor undoes the contraction of the gates at the start.
        log_factor = len(self.posterior) * math.log1p(math.exp(-BIAS))
        z, log_q = z * math.exp(log_factor), log_q - log_factor
        return z, log_q, mean, log_scale

    def log_likelihood(self, x, z):
        out = self.decoder(z)
        if self.likelihood == "bernoulli":
            return (x * torch.nn.functional.logsigmoid(out) + (1 - x) * torch.nn.functional.logsigmoid(-out)).sum(dim=1)
        pairs = out.reshape(x.shape[0], x.shape[1], 2)
        return torch.distributions.Normal(pairs[:, :, 0], torch.exp(soft_clamp(pairs[:, :, 1], 5.0))).log_prob(x).sum(dim=1)

    def log_prior(self, z):
        """By latent [N, L]."""
        u, log_dets = z, torch.zeros_like(z)
        for made in self.prior:
            out = made(u).reshape(u.shape[0], made.features, 2)
            a = soft_clamp(out[:, :, 1], 5.0)
            u, log_dets = (u - out[:, :, 0]) * torch.exp(-a), log_dets - a
        return -0.5 * u**2 - 0.5 * math.log(2 * math.pi) + log_dets

    def terms(self, x, noise):
        z, log_q, mean, log_scale = self.draw(x, noise)
        divergence = log_q - self.log_prior(z)
        if not self.posterior and not self.prior:
            divergence = torch.distributions.kl_divergence(
                torch.distributions.Normal(mean, torch.exp(log_scale)), torch.distributions.Normal(0.0, 1.0))
        return z, log_q.sum(dim=1), self.log_likelihood(x, z), divergence

    def loss(self, x, noise, free_bits, weight):
        """−(log p(x|z) − weight·divergence), with free bits by group as means over the batch."""
        _, _, log_likelihood, divergence = self.terms(x, noise)
        if free_bits is None:
            return -(log_likelihood - weight * divergence.sum(dim=1)).mean()
        means = divergence.mean(dim=0).reshape(free_bits["groups"], -1).sum(dim=1)
        return -log_likelihood.mean() + weight * torch.clamp(means, min=free_bits["nats"]).sum()

    def record(self):
        return {**{name: tensors(net.params) for name, net in self.parts().items()},
                "posterior": [made.record() for made in self.posterior], "prior": [made.record() for made in self.prior]}

    def gradients(self):
        return {**{name: gradients(net.params) for name, net in self.parts().items()},
                "posterior": [gradients(made.params) for made in self.posterior],
                "prior": [gradients(made.params) for made in self.prior]}


def case(name, seed, likelihood, steps=0, h=0, prior=0, free_bits=None, weight=1.0):
    gen = generator(seed)
    features, latents, units, n, samples, updates, lr = 6, 4, 9, 5, 3, 10, 0.01
    vae = Vae(gen, features, latents, units, likelihood, steps, h, prior)
    x = normal(gen, n, features)
    if likelihood == "bernoulli":
        x = (x > 0).to(x.dtype)
    noise, importance_noise = normal(gen, n, latents), normal(gen, n * samples, latents)
    update_noise = normal(gen, updates, n, latents)
    start = vae.record()
    z, log_q, log_likelihood, divergence = vae.terms(x, noise)
    loss = vae.loss(x, noise, free_bits, weight)
    loss.backward()
    own = vae.gradients()

    repeated = x.repeat_interleave(samples, dim=0)
    drawn, drawn_q, _, _ = vae.draw(repeated, importance_noise)
    weights = vae.log_likelihood(repeated, drawn) + vae.log_prior(drawn).sum(dim=1) - drawn_q.sum(dim=1)
    iwae = torch.logsumexp(weights.reshape(n, samples), dim=1) - math.log(samples)

    optimizer = torch.optim.Adam(vae.all(), lr=lr)
    losses = []
    for k in range(updates):
        optimizer.zero_grad()
        step_loss = vae.loss(x, update_noise[k], free_bits, weight)
        step_loss.backward()
        optimizer.step()
        losses.append(step_loss.item())
    after = vae.record()
    return {
        "name": name,
        "seed": seed,
        "config": {"features": features, "latents": latents, "units": units, "likelihood": likelihood, "transforms": steps,
                   "contextFeatures": h, "priorTransforms": prior, "bias": BIAS, "samples": samples, "lr": lr,
                   "freeBits": free_bits, "weight": weight},
        "model": start,
        "inputs": {"x": tensor(x), "noise": tensor(noise), "importanceNoise": tensor(importance_noise),
                   "updateNoise": tensor(update_noise)},
        "outputs": {"z": tensor(z), "logQ": tensor(log_q), "logLikelihood": tensor(log_likelihood),
                    "divergence": tensor(divergence.sum(dim=1)), "iwae": tensor(iwae), "loss": loss.item()},
        "gradients": own,
        "adam": {"losses": losses, "model": {key: after[key] for key in ("encoder", "decoder")}},
    }


write(
    "vae",
    "Encoder and decoder: tanh networks. The encoder's first 2L outputs are (mean, raw) a latent, log sigma = softClamp_10(raw), "
    "the others h. Posterior steps: gated, s = sigmoid(raw + bias), and at last the factor sigmoid(bias)^-steps. Prior: MAF with a = softClamp_5(raw). "
    "loss = -mean(objective): divergence weighted, free bits by group where given. iwae: noise of row n, sample k in row n*samples + k.",
    [
        case("diagonal-bernoulli", 91, "bernoulli"),
        case("iaf-bernoulli", 92, "bernoulli", steps=2, h=3),
        case("iaf-gaussian-free-bits", 93, "normal", steps=3, h=2, free_bits={"nats": 0.6, "groups": 2}, weight=0.4),
        case("maf-prior-free-bits", 94, "bernoulli", prior=2, free_bits={"nats": 0.2, "groups": 4}),
        case("iaf-and-maf", 95, "normal", steps=1, h=3, prior=1),
    ],
)
