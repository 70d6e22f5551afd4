"""Peers that are timed in turns, and the tables of what they reached. Used by the scripts beside it."""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Case:
    """One thing to measure: `work` is train, eval, memory or memory-eval."""

    def __init__(self, work, model, batch=128, threads=2, size="3,32,32", width=None, classes=None,
                 torch_model=None, candle=False, steps=10):
        self.work, self.model, self.batch, self.threads = work, model, batch, threads
        self.size, self.width, self.classes, self.steps = size, width, classes, steps
        self.torch_model, self.candle = torch_model or model, candle

    @property
    def name(self):
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        width = f" × {self.width}" if self.width else ""
        return f"{self.work} {self.model}{width}, batch {self.batch}, {threads}"

    def arguments(self, model):
        width = ["--width", str(self.width)] if self.width else []
        classes = ["--classes", str(self.classes)] if self.classes else []
        return ["--model", model, "--batch", str(self.batch), "--threads", str(self.threads),
                "--input", self.size, *width, *classes]

    @property
    def is_memory(self):
        return self.work.startswith("memory")

    def command(self):
        return ["memory", "--eval"] if self.work == "memory-eval" else [self.work]

    def counted(self, options):
        steps = max(2, self.steps // 4) if options.quick else self.steps
        return [] if self.is_memory else ["--steps", str(steps)]


class Once:
    """A peer that is started for every measurement."""

    def __init__(self, command):
        self.command = command

    def measure(self):
        done = subprocess.run(self.command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(self.command)}\n{done.stderr.strip()[-2000:]}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def stop(self):
        pass


class Server:
    """A peer that is started (and compiles) once, and measures whenever it is given a line."""

    def __init__(self, command, environment=None):
        self.command = command
        pipe = subprocess.PIPE
        environment = {**os.environ, **(environment or {})}
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
        self.read()  # It is ready.

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self.command)} ended with {self.process.wait()}")
        return json.loads(line)

    def measure(self):
        self.process.stdin.write("again\n")
        self.process.stdin.flush()
        return self.read()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def start(case, options):
    """The peers of a case, by name, each as a function that starts it."""
    torch = [options.python, str(HERE / "pytorch_peer.py"), *case.command(), *case.arguments(case.torch_model),
             *case.counted(options)]
    reslab = [options.reslab, "bench", *case.command(), *case.arguments(case.model), "--json",
              *case.counted(options)]
    peers = {"reslab": lambda: Once(reslab)}
    if not options.no_torch:
        if case.is_memory:
            peers["PyTorch eager"] = lambda: Once(torch)
        else:
            peers["PyTorch eager"] = lambda: Server([*torch, "--serve"])
            if not options.no_compile:
                peers["PyTorch compile"] = lambda: Server([*torch, "--variant", "compile", "--serve"])
    if options.candle and case.candle:
        # A step takes seconds: two are enough.
        candle = [options.candle, case.work, case.model, str(case.batch), "2"]
        threads = {"RAYON_NUM_THREADS": str(case.threads)}
        peers["candle"] = lambda: Server(candle, threads)
    return peers


def measure(case, options):
    """Rounds in which every peer has its turn, and the medians."""
    rounds = 1 if case.is_memory else options.rounds
    key = "peak_rss_mb" if case.is_memory else "images_per_s"
    found, raw, errors = {}, {}, {}
    peers = {}
    for name, begin in start(case, options).items():
        try:
            peers[name] = begin()
            raw[name] = []
        except (RuntimeError, OSError) as error:
            errors[name] = str(error)
    for number in range(rounds):
        # Whoever came first comes last in the next round.
        order = list(peers)[number % max(len(peers), 1):] + list(peers)[:number % max(len(peers), 1)]
        for name in order:
            if name in errors:
                continue
            try:
                raw[name].append(peers[name].measure())
            except (RuntimeError, OSError, json.JSONDecodeError) as error:
                errors[name] = str(error)
    for peer in peers.values():
        peer.stop()
    for name, answers in raw.items():
        if answers and name not in errors:
            found[name] = statistics.median(answer[key] for answer in answers)
    counts = {name: answers[0].get("parameters") for name, answers in raw.items() if answers}
    known = {count for count in counts.values() if count is not None}
    if len(known) > 1:
        errors["parameters"] = f"the peers do not run the same network: {counts}"
    for name, error in errors.items():
        print(f"{case.name}: {name}: {error}", file=sys.stderr)
    about = {"case": case.name, "work": case.work, "model": case.model}
    results = [{**about, "unit": "MB" if case.is_memory else "images/s", "medians": found, "errors": errors,
                "rounds": raw}]
    if case.is_memory:
        # What a step needs beyond a program that has only been loaded.
        more = {name: found[name] - raw[name][0]["before_mb"] for name in found}
        results.append({**about, "unit": "MB more than loaded", "medians": more, "errors": errors})
    return results


PEERS = ["reslab", "PyTorch eager", "PyTorch compile", "candle"]


def table(results):
    """Markdown: a row for each case, a column for each peer that took part, and reslab against the best other."""
    names = [name for name in PEERS if any(name in r["medians"] for r in results)]
    lines = [f"| case | unit | {' | '.join(names)} | reslab : best other |",
             f"| --- | --- |{' ---: |' * (len(names) + 1)}"]
    for r in results:
        medians = r["medians"]
        cells = [number(medians.get(name)) for name in names]
        others = [m for name, m in medians.items() if name != "reslab"]
        ratio = "–"
        if others and "reslab" in medians:
            best = min(others) if r["unit"].startswith("MB") else max(others)
            ratio = f"{medians['reslab'] / best:.2f}"
        if "parameters" in r["errors"]:
            ratio = "not the same network"
        lines.append(f"| {r['case']} | {r['unit']} | {' | '.join(cells)} | {ratio} |")
    return "\n".join(lines) + "\n"


def number(x):
    return "–" if x is None else f"{x:.0f}" if x >= 100 else f"{x:.1f}"


def machine():
    """What the numbers belong to."""
    model = "unknown processor"
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {"processor": model, "cores": os.cpu_count(), "system": platform.platform(),
            "python": platform.python_version(), "date": time.strftime("%Y-%m-%d")}


def parser(doc, out):
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--reslab", default=str(HERE.parent / "target/release/reslab"), help="the binary to measure")
    p.add_argument("--python", default=sys.executable, help="a Python with torch")
    p.add_argument("--candle", help="the binary of benchmarks/candle, if candle is to take part")
    p.add_argument("--rounds", type=int, default=5, help="turns of every peer")
    p.add_argument("--only", default="", metavar="NAME", help="only cases with this in their name")
    p.add_argument("--quick", action="store_true", help="two rounds of a few steps: to try, not to quote")
    p.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    p.add_argument("--no-torch", action="store_true", help="leave PyTorch out")
    p.add_argument("--out", default=str(HERE / "out" / out), help="where to write OUT.md and OUT.json")
    return p


def run(cases, options):
    """Measures, prints and writes the cases that are asked for, saving after each."""
    if options.quick:
        options.rounds = min(options.rounds, 2)
    if not Path(options.reslab).is_file():
        raise SystemExit(f"{options.reslab} is not there: build it with `cargo build --release`, or give --reslab.")
    chosen = [case for case in cases if options.only in case.name]
    if not chosen:
        raise SystemExit(f"No case has {options.only!r} in its name; there are:\n  "
                         + "\n  ".join(case.name for case in cases))
    results = []
    for case in chosen:
        new = measure(case, options)
        results += new
        print("\n".join(table(new).splitlines()[2:]), file=sys.stderr, flush=True)
        save(options.out, table(results), {"machine": machine(), "quick": options.quick, "results": results})
    print(table(results), end="")


def save(out, text, data):
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".md").write_text(text)
    path.with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n")
