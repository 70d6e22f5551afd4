#!/usr/bin/env python3
"""reslab beside PyTorch (eager and torch.compile) and candle, on the networks of the degradation study.

    python3 benchmarks/run.py                        everything; about an hour
    python3 benchmarks/run.py --quick --only resnet20

Builds nothing. Peers take turns, round after round, so that whatever else the machine does hits all alike; each
number is the median over rounds of medians over steps. Prints one Markdown table and writes it, with the raw
numbers beside it. Needs a Python with torch, and for the Rust peer `--candle benchmarks/candle/target/release/peer`.
"""
from peers import Case, parser, run

FULLY_CONNECTED = dict(batch=64, size="64", width=64, steps=200)

CASES = [
    *(Case("train", model, candle=model == "resnet20") for model in ("resnet20", "resnet56", "resnet110")),
    *(Case("train", model) for model in ("plain20", "plain56")),
    Case("train", "resnet20", threads=1, candle=True),
    *(Case("eval", model, candle=model == "resnet20") for model in ("resnet20", "resnet56")),
    *(Case("train", "fc-resnet32", threads=threads, **FULLY_CONNECTED) for threads in (1, 2)),
    *(Case("memory", model) for model in ("resnet20", "resnet56", "resnet110")),
    *(Case("memory-eval", model) for model in ("resnet20", "resnet56")),
]

if __name__ == "__main__":
    run(CASES, parser(__doc__, "peers").parse_args())
