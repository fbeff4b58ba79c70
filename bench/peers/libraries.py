"""The cases of the bench in other flow libraries, as their users would write them: zuko and normflows, each where it has the flow.

They are named as variants of a case (`--case nsf:step --variant zuko`); requirements-libraries.txt has the versions. What differs from
the flow that is timed beside them is said at its builder: no two libraries have the same networks.
"""

import torch

from step import training_step

# The sizes are those of bench/cases: features, hidden, transforms, batch.
MAF = {"maf": (63, [512, 512], 5, 256), "maf-small": (6, [100, 100], 5, 256)}
FEATURES, HIDDEN, BATCH = 63, [256, 256], 256


class Zuko(torch.nn.Module):
    """A zuko flow without context."""

    def __init__(self, flow):
        super().__init__()
        self.flow = flow

    def forward(self, x):
        return self.flow().log_prob(x)

    def sample(self, n):
        return self.flow().sample((n,))


class NormFlows(torch.nn.Module):
    """A normflows model: its maps go from the base to the data."""

    def __init__(self, features, flows):
        super().__init__()
        import normflows

        base = normflows.distributions.DiagGaussian(features, trainable=False)
        self.model = normflows.NormalizingFlow(base, flows)

    def forward(self, x):
        return self.model.log_prob(x)

    def sample(self, n):
        return self.model.sample(n)[0]


def zuko_model(name):
    import zuko

    if name in MAF:
        features, hidden, transforms, batch = MAF[name]
        return zuko.flows.MAF(features, transforms=transforms, hidden_features=hidden), (batch, features)
    if name == "nsf":
        # Its box is ±5.
        return zuko.flows.NSF(FEATURES, transforms=5, hidden_features=HIDDEN, bins=8), (BATCH, FEATURES)
    if name == "naf":
        # A monotone network of 2 × 8 units reads 16 numbers of the masked network, in the place of 8 sigmoids and their 24.
        network = {"hidden_features": (8, 8)}
        return zuko.flows.NAF(FEATURES, transforms=3, hidden_features=HIDDEN, network=network), (BATCH, FEATURES)
    raise SystemExit(f"zuko: no case {name}")


def normflows_model(name):
    import normflows

    if name in MAF:
        # Its masked network has blocks of one width: as many as there are hidden layers behind the first. Its map is one pass from the
        # base to the data: turned round, it is a MAF.
        features, hidden, transforms, batch = MAF[name]
        made = lambda: normflows.flows.MaskedAffineAutoregressive(features, hidden[0], num_blocks=len(hidden) - 1,
                                                                  use_residual_blocks=False)
        maps = [normflows.flows.Reverse(made()) for _ in range(transforms)]
        return NormFlows(features, maps), (batch, features)
    if name == "nsf":
        # One residual block of two layers, where the others have two layers.
        maps = [normflows.flows.AutoregressiveRationalQuadraticSpline(FEATURES, 1, HIDDEN[0], num_bins=8, init_identity=False)
                for _ in range(5)]
        return NormFlows(FEATURES, maps), (BATCH, FEATURES)
    if name == "residual":
        # Poisson's number of terms instead of its default, as in residual.py; gradients by the Neumann series.
        maps = [normflows.flows.Residual(normflows.nets.LipschitzMLP([64, 128, 128, 128, 64], init_zeros=False, lipschitz_const=0.9),
                                         n_dist="poisson") for _ in range(4)]
        return NormFlows(64, maps), (BATCH, 64)
    raise SystemExit(f"normflows: no case {name}")


class Case:
    """What peer.py wants of a model: freeze, sample, and log p as its call."""

    def __init__(self, variant, name):
        if variant == "zuko":
            flow, shape = zuko_model(name)
            self.model = Zuko(flow)
        else:
            self.model, shape = normflows_model(name)
        self.batch = torch.randn(shape)


def repetition(case, variant, samples):
    """The work of a case: a training step, log p, or `samples` rows."""
    name, task = case.split(":")
    made = Case(variant, name)
    model, batch = made.model, made.batch
    if task == "step":
        # normflows makes some of its numbers in the first pass.
        model(batch)
        return training_step(model, batch)
    model.eval()

    def run():
        with torch.no_grad():
            return model(batch) if task == "logProb" else model.sample(samples)

    return run
