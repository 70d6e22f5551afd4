#!/usr/bin/env python3
"""The other families beside PyTorch: bottlenecks, wide, grouped, and an ImageNet network on small images.

    python3 benchmarks/families.py [--quick] [--only wrn]

Options, turns and output as in run.py. A network that one side does not have is told on standard error, and its
place in the table stays empty.
"""
from peers import Case, parser, run

CASES = [
    Case("train", "preact-resnet164", batch=64, torch_model="bottleneck164", steps=6),
    Case("train", "wrn-16-4", batch=64),
    Case("train", "resnext29_8x16d", batch=32, steps=6),
    Case("train", "resnext29_8x16d", batch=64, steps=6),
    Case("train", "resnet18", batch=32, size="3,64,64", classes=1000),
    Case("train", "resnet18", batch=64, size="3,64,64", classes=1000),
    Case("eval", "wrn-16-4", batch=64),
    Case("eval", "resnext29_8x16d", batch=64),
    Case("eval", "resnet18", batch=32, size="3,64,64", classes=1000),
    Case("eval", "resnet18", batch=64, size="3,64,64", classes=1000),
]

if __name__ == "__main__":
    run(CASES, parser(__doc__, "families").parse_args())
