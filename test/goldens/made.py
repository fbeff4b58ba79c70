"""MADE: outputs, and the gradients of a weighted sum of the outputs with respect to everything."""

from golden import Made, generator, gradients, normal, tensor, tensors, write


def case(name, seed, n, **options):
    gen = generator(seed)
    made = Made(gen, **options)
    inputs = {"x": normal(gen, n, made.features)}
    if made.context:
        inputs["context"] = normal(gen, n, made.context)
    for value in inputs.values():
        value.requires_grad_(True)
    y = made(inputs["x"], inputs.get("context"))
    weights = normal(gen, *y.shape)
    loss = (y * weights).sum()
    loss.backward()
    return {
        "name": name,
        "seed": seed,
        "made": made.record(),
        "inputs": tensors(inputs),
        "outputs": {"y": tensor(y)},
        "outputWeights": tensor(weights),
        "loss": loss.item(),
        "gradients": gradients({**inputs, **made.params}),
    }


write(
    "made",
    "MADE forward [N, D] -> [N, D*P] (outputs interleaved, column d*P+p), loss = sum(y * outputWeights), gradients of the loss. "
    "masked-garbage: the stored weights are not zero where the mask is; they must not count.",
    [
        case("one-hidden-relu", 11, 7, features=5, per_feature=2, hidden=[9]),
        case("two-hidden-relu", 12, 6, features=5, per_feature=2, hidden=[13, 17]),
        case("two-hidden-tanh-reversed", 13, 6, features=4, per_feature=3, hidden=[8, 11], order="reversed",
             activation="tanh"),
        case("given-order-elu", 14, 5, features=6, per_feature=2, hidden=[12, 12], order=[3, 6, 1, 5, 2, 4],
             activation="elu"),
        case("context", 15, 6, features=4, per_feature=2, hidden=[10, 9], context=3),
        case("context-degree-zero", 16, 6, features=4, per_feature=2, hidden=[10, 9], context=3, lowest_degree=0),
        case("direct", 17, 6, features=5, per_feature=1, hidden=[11], direct=True, activation="tanh"),
        case("one-feature", 18, 5, features=1, per_feature=2, hidden=[6, 5]),
        case("masked-garbage", 19, 6, features=5, per_feature=2, hidden=[9, 12], garbage=True),
    ],
)
