"""One bench case in PyTorch as a child process, so that a bench can interleave it with other peers.

    python3 bench/peers/peer.py --case maf:step --variant eager --threads 2

Prints `ready` when the model is built and warm. Then, for each line on standard input: `run K` runs K repetitions and
prints one line, a JSON list of K times in milliseconds; `quit` (or the end of the input) ends the process.
Nothing else is printed on standard output. An error of PyTorch ends the process with a non-zero code before `ready`.
"""

import argparse
import json
import sys
import time

import torch

import autoencoders
import continuous
import conv_nets
import libraries
import linear_algebra
import models
import neural
import pixels
import residual
import sequences
import splines
from step import training_step

MAF = {
    "maf": (63, [512, 512], 5, 256),
    "maf-small": (6, [100, 100], 5, 256),
    "maf-mnist": (784, [1024], 5, 128),
}
GLOW = {"glow": (8, 128), "glow-wide": (4, 512)}
SAMPLES = {"maf:sample1000": 1000, "maf-mnist:sample16": 16, "naf:sample64": 64, "nsf:sample1000": 1000,
           "umnn:sample64": 64, "bnaf:sample64": 64}
LIBRARIES = ["zuko", "normflows"]
CASES = ["maf:step", "maf-small:step", "maf-mnist:step", "maf:logProb", "maf:sample1000", "maf-mnist:sample16",
         "realnvp:step", "glow:step", "glow-wide:step", *autoencoders.CASES,
         *conv_nets.CASES, *linear_algebra.CASES, *sequences.CASES, *neural.CASES, *pixels.CASES, *splines.CASES,
         *residual.CASES, *continuous.CASES]


def build(name):
    """(model, batch) of a model name."""
    if name in MAF:
        features, hidden, transforms, batch = MAF[name]
        return models.Maf(features, hidden, transforms), torch.randn(batch, features)
    if name in neural.NAMES:
        return neural.build(name)
    if name == "nsf":
        return splines.build()
    if name == "realnvp":
        return models.RealNvp(64, [256, 256], 8), torch.randn(256, 64)
    steps, hidden = GLOW[name]
    # Channels last is the faster layout of oneDNN's convolutions here, by about 5 %.
    layout = torch.channels_last
    model = models.Glow(3, 3, steps, hidden).to(memory_format=layout)
    return model, torch.randn(16, 3, 32, 32).contiguous(memory_format=layout)


def log_prob_only(model, batch, compiled):
    model.freeze()
    log_prob = torch.compile(model) if compiled else model

    def run():
        with torch.inference_mode():
            return log_prob(batch)

    return run


def sampling(model, n, compiled):
    model.freeze()
    if compiled:
        for transform in model.transforms:
            transform.parameters_of = torch.compile(transform.parameters_of)

    def run():
        with torch.inference_mode():
            return model.sample(n)

    return run


def repetition(case, variant):
    if variant in LIBRARIES:
        return libraries.repetition(case, variant, SAMPLES.get(case))
    if case in continuous.CASES:
        return continuous.repetition(case, variant)
    if case in conv_nets.CASES:
        return conv_nets.repetition(case, variant)
    if case in linear_algebra.CASES:
        return linear_algebra.repetition(case, variant)
    if case in pixels.CASES:
        return pixels.repetition(case, variant)
    if case in residual.CASES:
        return residual.repetition(case, variant)
    if case in sequences.CASES:
        return sequences.repetition(case, variant)
    compiled = variant == "compile"
    if case in autoencoders.CASES:
        return training_step(*autoencoders.build(), compiled)
    name, task = case.split(":")
    model, batch = build(name)
    if task == "step":
        return training_step(model, batch, compiled)
    if task == "logProb":
        return log_prob_only(model, batch, compiled)
    return sampling(model, SAMPLES[case], compiled)


def warm_up(run, seconds=1.0):
    """At least one repetition (it compiles), then up to 20 more or `seconds`, whichever ends first."""
    value = run()
    assert torch.isfinite(value).all(), "the peer's own result is not finite"
    start = time.perf_counter()
    for _ in range(20):
        if time.perf_counter() - start > seconds:
            break
        run()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", required=True, choices=CASES)
    parser.add_argument("--variant", default="eager", choices=["eager", "channels-last", "compile", *LIBRARIES])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    options = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    torch.set_default_device(options.device)
    repeat = repetition(options.case, options.variant)

    def run():
        value = repeat()
        if options.device == "cuda":
            torch.cuda.synchronize()
        return value

    warm_up(run)
    print("ready", flush=True)
    for line in sys.stdin:
        words = line.split()
        if words[:1] == ["quit"]:
            break
        if len(words) != 2 or words[0] != "run":
            print(f"expected `run K` or `quit`, got {line!r}", file=sys.stderr)
            return 2
        times = []
        for _ in range(int(words[1])):
            start = time.perf_counter()
            run()
            times.append(1000 * (time.perf_counter() - start))
        print(json.dumps(times), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
