#!/usr/bin/env python3
"""PyTorch's side of a comparison: times one network on this CPU, f32, as a careful user would run it.

    pytorch_peer.py train --model resnet20 --batch 128 --threads 2            one JSON line
    pytorch_peer.py eval --model resnet56 --variant compile --serve           one line for each line read
    pytorch_peer.py memory --model resnet56 [--eval]                          peak of a fresh process

A training step is forward, cross-entropy, backward, SGD with momentum and weight decay; an evaluation is
forward in inference mode with batch norms folded into convolutions, loss and error. Both memory layouts are
tried, and the faster one is kept. `images_per_s` is batch over the median step. Needs torch.
"""
import argparse
import json
import resource
import statistics
import sys
import time

import torch
from torch.nn import functional as F

from pytorch_models import build, fold_norms


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


class Runner:
    def __init__(self, a, layout):
        torch.manual_seed(0)
        self.training = a.work == "train" or a.work == "memory" and not a.eval
        net = build(a.model, a.input, a.width, a.classes)
        self.parameters = sum(p.numel() for p in net.parameters())
        fmt = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        if not self.training:
            net = fold_norms(net.eval())
        self.net = net.to(memory_format=fmt)
        self.x = torch.randn(a.batch, *a.input).to(memory_format=fmt)
        self.y = torch.arange(a.batch) % a.classes
        self.run = torch.compile(self.net) if a.variant == "compile" else self.net
        options = dict(lr=1e-3, momentum=0.9, weight_decay=1e-4)
        self.optimiser = torch.optim.SGD(self.net.parameters(), **options)

    def step(self):
        if not self.training:
            with torch.inference_mode():
                z = self.run(self.x)
                return F.cross_entropy(z, self.y, reduction="sum"), (z.argmax(1) != self.y).sum()
        self.optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(self.run(self.x), self.y).backward()
        self.optimiser.step()

    def seconds(self, steps):
        def once():
            start = time.perf_counter()
            self.step()
            return time.perf_counter() - start

        return [once() for _ in range(steps)]


def faster(a):
    """The runner of the faster layout, compiled and warm."""
    names = ["contiguous"] if a.input[1] * a.input[2] == 1 else ["contiguous", "channels_last"]
    found = []
    for name in names:
        runner = Runner(a, name)
        runner.seconds(3)
        found.append((statistics.median(runner.seconds(3)), name, runner))
    return min(found, key=lambda f: f[0])[1:]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("work", choices=["train", "eval", "memory"])
    p.add_argument("--model", default="resnet20")
    p.add_argument("--variant", choices=["eager", "compile"], default="eager")
    p.add_argument("--input", default="3,32,32", type=lambda t: [int(n) for n in t.split(",")])
    p.add_argument("--width", type=int)
    p.add_argument("--classes", type=int, default=10)
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--eval", action="store_true", help="memory of evaluation instead of training")
    p.add_argument("--serve", action="store_true", help="a measurement for each line read")
    a = p.parse_args()
    if len(a.input) == 1:
        a.input += [1, 1]
    torch.set_num_threads(a.threads)
    about = {"peer": f"PyTorch {torch.__version__} {a.variant}", "work": a.work, "model": a.model,
             "batch": a.batch, "threads": a.threads}
    if a.work == "memory":
        before = peak_mb()
        runner = Runner(a, "contiguous")
        runner.seconds(2)
        print(json.dumps({**about, "of": "eval" if a.eval else "train", "parameters": runner.parameters,
                          "before_mb": before, "peak_rss_mb": peak_mb()}), flush=True)
        return
    layout, runner = faster(a)

    def measure():
        runner.seconds(1)  # Another peer may have had the caches.
        middle = statistics.median(runner.seconds(a.steps))
        print(json.dumps({**about, "parameters": runner.parameters, "layout": layout, "steps": a.steps,
                          "step_ms": 1e3 * middle, "images_per_s": a.batch / middle}), flush=True)

    if not a.serve:
        return measure()
    print(json.dumps({"ready": True, "layout": layout}), flush=True)
    for _ in sys.stdin:
        measure()


if __name__ == "__main__":
    main()
