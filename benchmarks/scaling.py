#!/usr/bin/env python3
"""How reslab's time and memory grow with depth, width, batch and threads.

    python3 benchmarks/scaling.py [--quick] [--only width]

One setting is varied at a time around ResNet-20 at width 16, batch 128. Settings take turns, round after round.
`GFLOP` is what the definition asks of one step: where time grows with it, GFLOP/s stays. Last, runs of one thread
side by side in one process, against one alone.
"""
import statistics
import sys

from peers import Case, Once, machine, parser, save

CORES = (1, 2, 4, 8, 16)


def cases(cores):
    base = dict(model="resnet20", steps=10)
    vary = lambda axis, **settings: (axis, Case("train", **{**base, **settings}))
    return [
        *(vary("depth", model=f"resnet{n}") for n in (8, 20, 32, 44, 56, 110)),
        *(vary("width", width=n) for n in (4, 8, 16, 32, 64)),
        *(vary("batch", batch=n) for n in (16, 32, 64, 128, 256)),
        *(vary("threads", threads=n) for n in CORES if n <= cores),
    ]


def table(rows):
    lines = ["| varied | case | GFLOP | ms a step | images/s | GFLOP/s | MB |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    for axis, case, answers in rows:
        middle = lambda key: statistics.median(answer[key] for answer in answers)
        ms, rate = middle("step_ms"), middle("gflops")
        lines.append(f"| {axis} | {case.name} | {rate * ms / 1e3:.1f} | {ms:.1f} | {middle('images_per_s'):.0f} "
                     f"| {rate:.0f} | {middle('peak_rss_mb'):.0f} |")
    return "\n".join(lines) + "\n"


def side_by_side(options, cores):
    """One row for each number of runs: images/s together, alone, and their ratio."""
    lines, raw = ["| runs side by side | images/s together | images/s alone | ratio |",
                  "| ---: | ---: | ---: | ---: |"], []
    steps = "3" if options.quick else "10"
    for runs in (n for n in CORES if 1 < n <= cores):
        command = [options.reslab, "bench", "train", "--model", "resnet20", "--runs", str(runs), "--steps", steps,
                   "--json"]
        raw.append(Once(command).measure())
        lines.append(f"| {runs} | {raw[-1]['images_per_s']:.0f} | {raw[-1]['images_per_s_alone']:.0f} "
                     f"| {raw[-1]['ratio']:.2f} |")
    return "\n".join(lines) + "\n", raw


def main():
    options = parser(__doc__, "scaling").parse_args()
    rounds = min(2, options.rounds) if options.quick else options.rounds
    cores = machine()["cores"] or 1
    chosen = [(axis, case, []) for axis, case in cases(cores) if options.only in axis]
    beside = options.only in "runs"
    if not chosen and not beside:
        raise SystemExit(f"{options.only!r} is not varied; depth, width, batch, threads and runs are.")
    try:
        for number in range(rounds):
            for axis, case, answers in chosen:
                command = [options.reslab, "bench", "train", *case.arguments(case.model), "--json",
                           *case.counted(options)]
                answers.append(Once(command).measure())
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
        text, raw_runs = side_by_side(options, cores) if beside else ("", [])
    except (RuntimeError, OSError) as error:
        raise SystemExit(error)
    raw = [{"varied": axis, "case": case.name, "rounds": answers} for axis, case, answers in chosen]
    text = "\n".join(part for part in (table(chosen) if chosen else "", text) if part)
    data = {"machine": machine(), "quick": options.quick, "results": raw, "runs": raw_runs}
    save(options.out, text, data)
    print(text, end="")


if __name__ == "__main__":
    main()
