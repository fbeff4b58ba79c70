"""Triangular solves, determinants, and the linear maps of channels in LU, QR and orthogonal form."""

import torch
import torch.nn.functional as F

from golden import generator, gradients, normal, standard_normal_log_prob, tensor, tensors, write


def leaves(values):
    return {name: value.clone().requires_grad_(True) for name, value in values.items()}


def square(gen, n, *stack):
    """Well conditioned as a triangle, full: what is beyond the triangle must not be read."""
    return normal(gen, *stack, n, n, scale=0.5) + 2.0 * torch.diag((-1.0) ** torch.arange(n))


def solve_case(seed, side, lower, transpose, unit, n=6, m=4, stack=()):
    gen = generator(seed)
    shape = (n, m) if side == "left" else (m, n)
    own = leaves({"t": square(gen, n, *stack), "b": normal(gen, *stack, *shape)})
    t = own["t"].mT if transpose else own["t"]
    # PyTorch has no option for the transpose: the transposed matrix has the other triangle.
    x = torch.linalg.solve_triangular(t, own["b"], upper=lower == transpose, left=side == "left", unitriangular=unit)
    weights = normal(gen, *x.shape)
    (x * weights).sum().backward()
    name = " ".join([side, "lower" if lower else "upper"] + ["transposed"] * transpose + ["unit"] * unit
                    + ["stack"] * bool(stack))
    return {"name": name, "seed": seed, "type": "solve",
            "options": {"side": side, "lower": lower, "transpose": transpose, "unitDiagonal": unit},
            "inputs": tensors(own), "outputs": {"x": tensor(x)}, "outputWeights": tensor(weights),
            "gradients": gradients(own)}


def dense_case(seed, n, m):
    """log|det W|, sign and the rows x with W·x = y − bias."""
    gen = generator(seed)
    own = leaves({"w": normal(gen, n, n), "y": normal(gen, m, n), "bias": normal(gen, n)})
    sign, log_abs = torch.linalg.slogdet(own["w"])
    x = torch.linalg.solve(own["w"], (own["y"] - own["bias"]).T).T
    weights = normal(gen, m, n)
    ((x * weights).sum() + 1.7 * log_abs).backward()
    return {"name": f"dense {n}", "seed": seed, "type": "dense", "logDetWeight": 1.7,
            "inputs": tensors(own), "outputs": {"x": tensor(x), "logAbsDet": tensor(log_abs), "sign": tensor(sign)},
            "outputWeights": tensor(weights), "gradients": gradients(own)}


def reflections(vectors):
    """H_K ⋯ H_1."""
    q = torch.eye(vectors.shape[1])
    for v in vectors:
        q = q - 2 * torch.outer(v, v @ q) / (v @ v)
    return q


def weight_of(kind, p, sign, permutation):
    """W and log|det W|. `factors` holds both triangles; its diagonal is not read."""
    scale = lambda: torch.diag(sign * torch.exp(p["logScale"]))
    n = sign.shape[0]
    if kind == "lu":
        # Glow, eq. 10.
        return permutation @ (p["factors"].tril(-1) + torch.eye(n)) @ (p["factors"].triu(1) + scale()), p["logScale"].sum()
    if kind == "lower":
        return p["factors"].tril(-1) + scale(), p["logScale"].sum()
    if kind == "upper":
        return p["factors"].triu(1) + scale(), p["logScale"].sum()
    if kind == "qr":
        # The factors hold the transpose of R.
        return reflections(p["vectors"]) @ (p["factors"].tril(-1) + scale()).T, p["logScale"].sum()
    if kind == "orthogonal":
        return reflections(p["vectors"]), torch.zeros(())
    return p["weight"], torch.linalg.slogdet(p["weight"])[1]


def map_case(seed, kind, channels, height, width, rows=5, bias=True, vectors=0):
    gen = generator(seed)
    sign = torch.sign(normal(gen, channels))
    order = torch.randperm(channels, generator=gen)
    # Row i of L·(U + diag(s)) is row order[i] of W.
    permutation = torch.zeros(channels, channels)
    permutation[order, torch.arange(channels)] = 1.0
    params = {}
    if kind in ("qr", "orthogonal"):
        params["vectors"] = normal(gen, vectors or channels, channels)
    if kind in ("lu", "lower", "upper", "qr"):
        params["factors"] = normal(gen, channels, channels, scale=0.5)
        params["logScale"] = normal(gen, channels, scale=0.4)
    if kind == "dense":
        params["weight"] = normal(gen, channels, channels)
    if bias:
        params["bias"] = normal(gen, channels)
    own = leaves({"x": normal(gen, rows, height * width * channels), **params})
    positions = height * width

    def forward(x):
        """By the convolution that it is: channels last in, channels first through it."""
        w, log_abs = weight_of(kind, own, sign, permutation)
        images = x.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        y = F.conv2d(images, w[:, :, None, None], own.get("bias"))
        return y.permute(0, 2, 3, 1).reshape(x.shape), positions * log_abs * torch.ones(x.shape[0])

    y, log_det = forward(own["x"])
    weights, log_det_weights = normal(gen, *y.shape), normal(gen, rows)
    ((y * weights).sum() + (log_det * log_det_weights).sum()).backward()
    given = gradients(own)
    # The inverse is another map of the same matrix: its gradients too.
    for value in own.values():
        value.grad = None
    target = normal(gen, *y.shape).requires_grad_(True)
    w, log_abs = weight_of(kind, own, sign, permutation)
    shifted = target.reshape(-1, channels) - (own["bias"] if bias else 0.0)
    x = torch.linalg.solve(w, shifted.T).T.reshape(target.shape)
    inverse_log_det = -positions * log_abs * torch.ones(rows)
    ((x * weights).sum() + (inverse_log_det * log_det_weights).sum()).backward()
    inverse = {"inputs": {"y": tensor(target)}, "outputs": {"x": tensor(x), "logDet": tensor(inverse_log_det)},
               "gradients": {"y": tensor(target.grad),
                             **{k: v for k, v in gradients(own).items() if k != "x"}}}

    start = tensors({name: own[name] for name in params})
    optimizer = torch.optim.Adam([own[name] for name in params], lr=0.02)
    batches, losses = [], []
    # Without a bias the length of Q·R·x does not depend on Q: its gradient is rounding alone, which Adam would blow up.
    assert bias or "vectors" not in params
    for _ in range(10):
        batch = normal(gen, rows, positions * channels)
        optimizer.zero_grad()
        y_step, ld = forward(batch)
        loss = -(standard_normal_log_prob(y_step) + ld).mean()
        loss.backward()
        optimizer.step()
        batches.append(tensor(batch))
        losses.append(loss.item())
    return {"name": f"{kind} {channels} at {height}x{width}" + (" bias" if bias else ""), "seed": seed, "type": "map",
            "kind": kind, "channels": channels, "positions": positions, "reflections": vectors or channels,
            "sign": sign.tolist(), "rows": order.tolist(), "params": start, "inputs": {"x": tensor(own["x"])},
            "outputs": {"y": tensor(y), "logDet": tensor(log_det)},
            "outputWeights": {"y": tensor(weights), "logDet": tensor(log_det_weights)},
            "gradients": given, "inverse": inverse,
            "training": {"lr": 0.02, "batches": batches, "losses": losses,
                         "params": tensors({name: own[name] for name in params})}}


forms = [(side, lower, transpose, unit) for side in ("right", "left") for lower in (False, True)
         for transpose in (False, True) for unit in (False, True)]

write(
    "linearMaps",
    "solve: x of x·op(t) = b (right) or op(t)·x = b (left), gradients of sum(x*outputWeights). dense: x with w·x = y − bias "
    "for each row y, log|det w|, gradients of sum(x*outputWeights) + logDetWeight*logAbsDet. map: y = W·x + bias at each "
    "position (channels last), logDet [N] = positions*log|det W|, gradients of sum(y*outputWeights.y) + "
    "sum(logDet*outputWeights.logDet), the same of the inverse; ten Adam steps of −mean(log N(y) + logDet). W: lu "
    "P·L·(U + diag(s)), row i of the product is row rows[i] of W, L and U in one matrix `factors` whose diagonal is not read, "
    "s = sign*exp(logScale); lower, upper: the triangle + diag(s); qr: H_K…H_1·R, factors and s of the transpose of R; "
    "orthogonal: H_K…H_1; dense: W itself.",
    [
        *[solve_case(300 + k, *form) for k, form in enumerate(forms)],
        solve_case(320, "right", False, True, False, stack=(3,)),
        solve_case(321, "left", True, False, True, stack=(2,)),
        solve_case(322, "right", True, False, False, n=19, m=7),
        dense_case(330, 1, 3),
        dense_case(331, 5, 4),
        dense_case(332, 12, 6),
        map_case(340, "lu", 4, 1, 1, bias=False),
        map_case(341, "lu", 3, 2, 3),
        map_case(342, "lu", 12, 2, 2, rows=3),
        map_case(343, "lower", 4, 1, 1),
        map_case(344, "upper", 3, 2, 2, bias=False),
        map_case(345, "qr", 4, 2, 1),
        map_case(346, "qr", 5, 1, 1, vectors=2),
        map_case(347, "orthogonal", 4, 2, 2),
        map_case(348, "orthogonal", 7, 1, 1, vectors=2),
        map_case(349, "dense", 4, 2, 1),
    ],
)
