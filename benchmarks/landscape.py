#!/usr/bin/env python3
"""A loss surface of ResNet-56: reslab's instrument beside a careful PyTorch loop.

    cargo build --release -p reslab-probes --example landscape_speed
    python3 benchmarks/landscape.py --python venv/bin/python

At each point PyTorch sets its weights in place, θ + x d₁ + y d₂ (no copies made), and evaluates all images, which lie
in memory in its layout: inference mode, eager, two threads. Layout (contiguous or channels-last) and batch size are
the fastest of those tried before the measurement. reslab runs its instrument, drawing of directions and table
included. Both see noise of the same shape. They take turns on slices of a few points, since a surface's time is a
straight line in its points; reslab starts its slices afresh, PyTorch is warm.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time

from peers import HERE, machine, save


def pytorch(options):
    """Serves: for each line read, the seconds of one slice of points."""
    import torch
    from torch.nn import functional as F

    from pytorch_models import build

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    inputs, targets = torch.randn(options.images, 3, 32, 32), torch.arange(options.images) % 10

    def network(layout):
        net = build(options.model, [3, 32, 32], None, 10).eval().to(memory_format=layout)
        moving = [p for p in net.parameters() if p.dim() > 1]
        at = [p.detach().clone() for p in moving]
        directions = []
        for _ in range(2):
            drawn = [torch.randn_like(p) for p in at]
            for d, p in zip(drawn, at):
                for filter, weights in zip(d, p):
                    filter.mul_(weights.norm() / (filter.norm() + 1e-10))
            directions.append(drawn)
        return net, moving, at, directions, inputs.to(memory_format=layout)

    def surface(built, points, batch):
        net, moving, at, (first, second), images = built
        losses = []
        start = time.perf_counter()
        with torch.inference_mode():
            for point in range(points):
                x, y = 2 * point / max(points - 1, 1) - 1, 0.5
                for p, centre, d, e in zip(moving, at, first, second):
                    torch.add(centre, d, alpha=x, out=p.data).add_(e, alpha=y)
                loss, wrong = 0.0, 0
                for start_at in range(0, options.images, batch):
                    z, t = net(images[start_at:start_at + batch]), targets[start_at:start_at + batch]
                    loss += F.cross_entropy(z, t, reduction="sum").item()
                    wrong += (z.argmax(1) != t).sum().item()
                losses.append((loss, wrong))
        return time.perf_counter() - start

    tried = []
    for layout in (torch.contiguous_format, torch.channels_last):
        built = network(layout)
        surface(built, 1, options.images)
        for batch in options.batches:
            seconds = min(surface(built, 1, batch) for _ in range(2))
            tried.append((seconds, str(layout), batch, built))
    _, name, batch, built = min(tried, key=lambda t: t[0])
    tried = {f"{layout}, {batch}": seconds for seconds, layout, batch, _ in tried}
    print(json.dumps({"ready": True, "layout": name, "batch": batch, "tried": tried}), flush=True)
    for _ in sys.stdin:
        seconds = surface(built, options.points, batch)
        print(json.dumps({"seconds": seconds, "layout": name, "batch": batch, "torch": torch.__version__}), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--example", default=str(HERE.parent / "target/release/examples/landscape_speed"))
    p.add_argument("--python", default=sys.executable, help="a Python with torch")
    p.add_argument("--model", default="resnet56")
    p.add_argument("--images", type=int, default=1000)
    p.add_argument("--points", type=int, default=6, help="points of one turn, an even number")
    p.add_argument("--whole", type=int, default=625, help="points of the whole surface")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--batches", type=int, nargs="+", default=[64, 125, 250, 500, 1000])
    p.add_argument("--serve-pytorch", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("--out", default=str(HERE / "out" / "landscape"))
    options = p.parse_args()
    if options.serve_pytorch:
        return pytorch(options)
    same = ["--model", options.model, "--images", str(options.images), "--points", str(options.points),
            "--threads", str(options.threads), "--batches", *map(str, options.batches)]
    pipe = subprocess.PIPE
    torch = subprocess.Popen([options.python, __file__, "--serve-pytorch", *same], stdin=pipe, stdout=pipe, text=True)
    ready = json.loads(torch.stdout.readline())
    ours = [options.example, options.model, str(options.images), str(options.points), str(options.threads)]
    raw = {"reslab": [], "PyTorch": []}
    for _ in range(options.rounds):
        done = subprocess.run(ours, capture_output=True, text=True, check=True)
        raw["reslab"].append(json.loads(done.stdout))
        torch.stdin.write("again\n")
        torch.stdin.flush()
        raw["PyTorch"].append(json.loads(torch.stdout.readline()))
        print(*(f"{name} {answers[-1]['seconds']:.2f} s" for name, answers in raw.items()), flush=True)
    torch.stdin.close()
    torch.wait()
    whole = {name: statistics.median(a["seconds"] for a in answers) * options.whole / options.points
             for name, answers in raw.items()}
    text = (f"| surface | reslab, min | PyTorch, min | × |\n| --- | ---: | ---: | ---: |\n"
            f"| {options.whole} points of {options.model}, {options.images} images, {options.threads} threads "
            f"| {whole['reslab'] / 60:.1f} | {whole['PyTorch'] / 60:.1f} | {whole['PyTorch'] / whole['reslab']:.2f} |\n")
    print(text, end="")
    save(options.out, text, {"machine": machine(), "points": options.points, "ready": ready, "whole": whole,
                             "rounds": raw})


if __name__ == "__main__":
    main()
