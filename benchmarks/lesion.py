#!/usr/bin/env python3
"""Deleting each block of ResNet-56 in turn: reslab, which shares what comes before, beside PyTorch naively.

    cargo build --release -p reslab-probes --example lesion_speed
    python3 benchmarks/lesion.py --python venv/bin/python

PyTorch runs the edited network anew for each of the 27 blocks (eager, inference mode, the faster of channels-last
and contiguous, batches of 256); reslab runs its instrument, which also evaluates the whole network. Both see noise
of the same shape. They take turns on slices of the images, since a study's time is a straight line in them; reslab
starts its slices afresh, PyTorch is warm.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time

from peers import HERE, machine, save


def pytorch(options):
    """Serves: for each line read, the seconds of the naive study on one slice."""
    import torch
    from torch.nn import functional as F

    from pytorch_models import build

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    batch = 256

    def study(net, images, layout, blocks):
        start = time.perf_counter()
        for k in blocks:
            block = net.blocks[k]
            net.blocks[k] = torch.nn.Sequential(block.shortcut, torch.nn.ReLU())
            with torch.inference_mode():
                for at in range(0, images, batch):
                    x = inputs[at:at + batch].to(memory_format=layout)
                    z, y = net(x), targets[at:at + batch]
                    (F.cross_entropy(z, y, reduction="sum").item(), (z.argmax(1) != y).sum().item())
            net.blocks[k] = block
        return time.perf_counter() - start

    inputs, targets = torch.randn(options.slice, 3, 32, 32), torch.arange(options.slice) % 10
    tried = []
    for layout in (torch.contiguous_format, torch.channels_last):
        net = build(options.model, [3, 32, 32], None, 10).eval().to(memory_format=layout)
        study(net, batch, layout, [0])
        tried.append((study(net, batch, layout, [0, 1]), str(layout), layout, net))
    _, name, layout, net = min(tried, key=lambda t: t[0])
    print(json.dumps({"ready": True, "layout": name}), flush=True)
    for _ in sys.stdin:
        seconds = study(net, options.slice, layout, range(len(net.blocks)))
        print(json.dumps({"seconds": seconds, "layout": name, "torch": torch.__version__}), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--example", default=str(HERE.parent / "target/release/examples/lesion_speed"))
    p.add_argument("--python", default=sys.executable, help="a Python with torch")
    p.add_argument("--model", default="resnet56")
    p.add_argument("--images", type=int, default=10_000, help="images of the whole study")
    p.add_argument("--slice", type=int, default=1024, help="images of one turn")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--serve-pytorch", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("--out", default=str(HERE / "out" / "lesion"))
    options = p.parse_args()
    if options.serve_pytorch:
        return pytorch(options)
    same = ["--model", options.model, "--slice", str(options.slice), "--threads", str(options.threads)]
    pipe = subprocess.PIPE
    torch = subprocess.Popen([options.python, __file__, "--serve-pytorch", *same], stdin=pipe, stdout=pipe, text=True)
    json.loads(torch.stdout.readline())
    ours = [options.example, options.model, str(options.slice), str(options.threads)]
    raw = {"reslab": [], "PyTorch": []}
    for _ in range(options.rounds):
        done = subprocess.run(ours, capture_output=True, text=True, check=True)
        raw["reslab"].append(json.loads(done.stdout))
        torch.stdin.write("again\n")
        torch.stdin.flush()
        raw["PyTorch"].append(json.loads(torch.stdout.readline()))
    torch.stdin.close()
    torch.wait()
    whole = {name: statistics.median(a["seconds"] for a in answers) * options.images / options.slice
             for name, answers in raw.items()}
    text = (f"| study | reslab, s | PyTorch naively, s | × |\n| --- | ---: | ---: | ---: |\n"
            f"| each block of {options.model}, {options.images} images, {options.threads} threads "
            f"| {whole['reslab']:.1f} | {whole['PyTorch']:.1f} | {whole['PyTorch'] / whole['reslab']:.2f} |\n")
    print(text, end="")
    save(options.out, text, {"machine": machine(), "slice": options.slice, "whole": whole, "rounds": raw})


if __name__ == "__main__":
    main()
