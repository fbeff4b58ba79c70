"""What the golden scripts share: seeded tensors, a MADE as plain functions, and the JSON writer.

Everything is float64. A number is written by `repr`, so that reading it back gives the same bits.
"""

import json
import math
import pathlib

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

DATA = pathlib.Path(__file__).parent / "data"


# ---- random, signed, non-zero fixtures -------------------------------------------------------


def generator(seed):
    return torch.Generator().manual_seed(seed)


def normal(gen, *shape, scale=1.0):
    return torch.randn(*shape, generator=gen) * scale


# ---- MADE (Germain et al. 2015) --------------------------------------------------------------


def input_degrees(features, order):
    """Degree 1…D of each input. `natural`: 1, 2, …, D; `reversed`: D, …, 2, 1; a list is taken as given."""
    if order == "natural":
        return list(range(1, features + 1))
    if order == "reversed":
        return list(range(features, 0, -1))
    assert sorted(order) == list(range(1, features + 1))
    return list(order)


def hidden_degrees(features, width, lowest=1):
    """Sequential degrees i mod (D−1) + 1, sorted. `lowest=0` gives i mod D: units of degree 0 see only the context."""
    count = max(features - lowest, 1)
    return sorted(i % count + lowest for i in range(width))


def mask(out_degrees, in_degrees, strict):
    """[out, in] of 0 and 1. Eq. 8 of the paper (hidden: ≥) and eq. 9 (outputs: >)."""
    out = torch.tensor(out_degrees).unsqueeze(1)
    inp = torch.tensor(in_degrees).unsqueeze(0)
    return (out > inp if strict else out >= inp).to(torch.float64)


class Made:
    """A MADE. Outputs are interleaved: column d·P + p is parameter p of dimension d.

    params: hidden.0.weight [H1, D], hidden.0.bias [H1], hidden.1.weight [H2, H1], …, output.weight [D·P, H],
    output.bias [D·P]; context.weight [H1, C] (no mask, no bias, added before the activation);
    direct.weight [D·P, D] (inputs straight to the outputs, strict mask).
    """

    def __init__(self, gen, features, per_feature, hidden, order="natural", activation="relu", context=0,
                 direct=False, lowest_degree=1, scale=0.6, garbage=False):
        self.features, self.per_feature, self.hidden = features, per_feature, list(hidden)
        self.activation, self.context, self.direct = activation, context, direct
        self.input_degrees = input_degrees(features, order)
        self.hidden_degrees = [hidden_degrees(features, width, lowest_degree) for width in hidden]
        out_degrees = [degree for degree in self.input_degrees for _ in range(per_feature)]
        self.masks, self.params = {}, {}
        seen = self.input_degrees
        for i, (width, degrees) in enumerate(zip(hidden, self.hidden_degrees)):
            self.masks[f"hidden.{i}.weight"] = mask(degrees, seen, strict=False)
            self.params[f"hidden.{i}.weight"] = normal(gen, width, len(seen), scale=2 * scale / math.sqrt(len(seen)))
            self.params[f"hidden.{i}.bias"] = normal(gen, width, scale=0.3)
            if i == 0 and context:
                self.params["context.weight"] = normal(gen, width, context, scale=0.7)
            seen = degrees
        self.masks["output.weight"] = mask(out_degrees, seen, strict=True)
        self.params["output.weight"] = normal(gen, len(out_degrees), len(seen), scale=2 * scale / math.sqrt(len(seen)))
        self.params["output.bias"] = normal(gen, len(out_degrees), scale=0.3)
        if direct:
            self.masks["direct.weight"] = mask(out_degrees, self.input_degrees, strict=True)
            self.params["direct.weight"] = normal(gen, len(out_degrees), features, scale=0.5)
        if not garbage:
            for name, value in self.masks.items():
                self.params[name] = torch.where(value > 0, self.params[name], 0.0)
        for name in self.params:
            self.params[name] = self.params[name].clone().requires_grad_(True)

    def __call__(self, x, context=None):
        """x [N, D] → [N, D·P]."""
        weight = lambda name: self.params[name] * self.masks[name]
        act = {"relu": torch.relu, "tanh": torch.tanh, "elu": torch.nn.functional.elu}[self.activation]
        h = x
        for i in range(len(self.hidden)):
            z = h @ weight(f"hidden.{i}.weight").T + self.params[f"hidden.{i}.bias"]
            if i == 0 and context is not None:
                z = z + context @ self.params["context.weight"].T
            h = act(z)
        y = h @ weight("output.weight").T + self.params["output.bias"]
        if self.direct:
            y = y + x @ weight("direct.weight").T
        return y

    def record(self):
        return {
            "type": "made",
            "features": self.features,
            "outputsPerFeature": self.per_feature,
            "hidden": self.hidden,
            "contextFeatures": self.context,
            "direct": self.direct,
            "activation": self.activation,
            "inputDegrees": self.input_degrees,
            "hiddenDegrees": self.hidden_degrees,
            "masks": {name: tensor(value.to(torch.int64)) for name, value in self.masks.items()},
            "params": tensors(self.params),
        }


def bounded(raw, bound):
    """a of raw: `tanh` → tanh(raw), `none` → raw."""
    return torch.tanh(raw) if bound == "tanh" else raw


def masked_autoregressive(made, x, context=None, bound="tanh"):
    """The masked autoregressive affine map: u = (x − mu(x))·exp(−a(x)), log|det ∂u/∂x| = −Σ_d a_d (MAF, section 3.1)."""
    out = made(x, context).reshape(x.shape[0], made.features, 2)
    mu, a = out[:, :, 0], bounded(out[:, :, 1], bound)
    return (x - mu) * torch.exp(-a), -a.sum(dim=1)


def standard_normal_log_prob(u):
    return -0.5 * (u * u).sum(dim=1) - 0.5 * u.shape[1] * math.log(2 * math.pi)


def adam_steps(parameters, log_prob, batches):
    """A step of Adam on −mean log p for each batch: what a golden `training` has beside the parameters after them."""
    optimizer = torch.optim.Adam(parameters, lr=1e-3)
    losses = []
    for batch in batches:
        optimizer.zero_grad()
        loss = -log_prob(**batch).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {
        "optimizer": {"type": "adam", "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weightDecay": 0.0},
        "batches": [tensors(batch) for batch in batches],
        "losses": losses,
    }


# ---- JSON --------------------------------------------------------------------------------------


def tensor(value):
    """{"shape", "data"} with row-major data; a scalar has shape []."""
    value = torch.as_tensor(value).detach()
    return {"shape": list(value.shape), "data": value.reshape(-1).tolist()}


def tensors(values):
    return {name: tensor(value) for name, value in values.items()}


def gradients(values):
    """The .grad of each leaf; zeros where nothing flowed."""
    return {name: tensor(torch.zeros_like(v) if v.grad is None else v.grad) for name, v in values.items()}


def _number(value):
    if isinstance(value, float) and not math.isfinite(value):
        # JSON has no infinities: written as strings, read back by Number().
        return '"NaN"' if math.isnan(value) else ('"Infinity"' if value > 0 else '"-Infinity"')
    return repr(value)


def _encode(value, indent):
    if isinstance(value, dict):
        if not value:
            return "{}"
        if set(value) == {"shape", "data"}:
            return '{"shape":[%s],"data":[%s]}' % (",".join(map(repr, value["shape"])),
                                                  ",".join(map(_number, value["data"])))
        pad = " " * (indent + 1)
        rows = [f"{pad}{json.dumps(key)}: {_encode(item, indent + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    if isinstance(value, (list, tuple)):
        if all(isinstance(item, (int, float, str)) for item in value):
            return "[" + ",".join(_encode(item, 0) for item in value) + "]"
        pad = " " * (indent + 1)
        return "[\n" + ",\n".join(pad + _encode(item, indent + 1) for item in value) + "\n" + " " * indent + "]"
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return _number(value)


def write(name, about, cases):
    """Writes data/<name>.json: {"meta": {...}, "cases": [...]}."""
    DATA.mkdir(exist_ok=True)
    meta = {"about": about, "generator": f"test/goldens/{name}.py", "dtype": "float64",
            "torch": torch.__version__.split("+")[0]}
    path = DATA / f"{name}.json"
    path.write_text(_encode({"meta": meta, "cases": cases}, 0) + "\n")
    json.loads(path.read_text())
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
