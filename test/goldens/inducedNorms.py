"""Induced norms max |Wv|_q / |v|_p of layers, by ascent from many starts: of matrices, of a convolution and of a 1×1 convolution as operators."""

import torch
import torch.nn.functional as F

from golden import generator, normal, tensor, write
from residual import operator

INF = float("inf")


def ratio(matrix, v, p, q):
    return torch.linalg.vector_norm(v @ matrix.T, q, dim=-1) / torch.linalg.vector_norm(v, p, dim=-1)


def maximiser(matrix, p, q, gen):
    """The best of 400 climbs, all corners of the cube and all axes; a climb is 3000 steps of a falling size."""
    inputs = matrix.shape[1]
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * inputs).reshape(-1, inputs) if inputs <= 12 else torch.ones(1, inputs)
    v = torch.cat([torch.randn(400, inputs, generator=gen), corners, torch.eye(inputs)]).requires_grad_(True)
    optimizer = torch.optim.Adam([v], lr=0.1)
    best = torch.zeros(())
    for step in range(3000):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 3000) ** 3 + 1e-9
        values = ratio(matrix, v, p, q)
        with torch.no_grad():
            top = values.argmax()
            if values[top] > best:
                best, found = values[top].clone(), v[top].clone()
        optimizer.zero_grad()
        (-values.sum()).backward()
        optimizer.step()
    return found


def case(name, seed, outputs, inputs, p, q, image=None, kernel=1):
    gen = generator(seed)
    weight = normal(gen, outputs, kernel**2 * inputs).requires_grad_(True)
    positions = image[0] * image[1] if image else 1
    if kernel > 1:
        matrix = operator(weight, kernel, image)
    else:
        matrix = torch.block_diag(*[weight] * positions)
    v = maximiser(matrix.detach(), p, q, gen)
    # At the maximum v is stationary: the gradient by the weight is that at fixed v.
    norm = ratio(matrix, v, p, q)
    (gradient,) = torch.autograd.grad(norm, weight)
    order = lambda value: "Infinity" if value == INF else value
    return {
        "name": name,
        "seed": seed,
        "sizes": {"inputs": inputs, "outputs": outputs, "kernel": kernel, **({"image": list(image)} if image else {})},
        "orders": [order(p), order(q)],
        "weight": tensor(weight),
        "norm": tensor(norm),
        "gradient": tensor(gradient),
    }


if __name__ == "__main__":
    write(
        "inducedNorms",
        "The largest |Wv|_q / |v|_p of a layer as an operator (of a convolution on the image, zeros around it) and its gradient by the weight. "
        "orders: [p, q].",
        [
            *[
                case(f"{p} to {q}", 950 + k, 4, 3, p, q)
                for k, (p, q) in enumerate(
                    [(1, 1), (1, 2), (1, INF), (2, INF), (INF, INF), (1.5, 3), (3, 1.5), (2, 1), (INF, 2), (4, 4)]
                )
            ],
            case("convolution, 1.5 to 3", 970, 2, 1, 1.5, 3, image=(2, 3), kernel=3),
            case("convolution, 3 to 1.5", 971, 1, 2, 3, 1.5, image=(2, 2), kernel=3),
            case("1 x 1 convolution, 3 to 1.5", 972, 2, 2, 3, 1.5, image=(2, 2)),
            case("1 x 1 convolution, 1.5 to 3", 973, 2, 2, 1.5, 3, image=(2, 2)),
        ],
    )
