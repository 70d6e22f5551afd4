#!/usr/bin/env python3
"""The largest eigenvalue of the Hessian of ResNet-20's published weights: reslab beside PyHessian.

    cargo build --release -p reslab-probes --example hessian_speed
    python3 benchmarks/hessian.py --python venv/bin/python --data DATA

DATA holds cifar-10-batches-bin/ and weights/resnet20-12fca82f.th. Mean cross-entropy of the first images of
data_batch_1.bin, evaluation mode, all parameters, f32. Both have weights and images in memory; timed is all that
follows, to the eigenvalue. PyHessian (pip install pyhessian; the 20 lines of its algorithm below where it is not
installed) differentiates to the gradient with a graph, and that once for each product of a power iteration, until the
eigenvalue changes by less than a thousandth, which is its default. reslab's instrument computes loss and gradient and
searches until the residual is a share of the eigenvalue. They take turns. Errors are against the eigenvalue in float64
(tests/fixtures/pytorch/make_hessian.py), which holds for 200 images.
"""
import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from peers import HERE, machine, save

EIGENVALUE = 60.83461


def double_backward(model, loss, inputs, targets):
    """PyHessian's power iteration: seconds of graph and products, number of products, eigenvalue."""
    import torch

    counted = []
    start = time.perf_counter()
    try:
        theirs = importlib.import_module("pyhessian.hessian")  # the module, which a class of its hides
        product = theirs.hessian_vector_product
        theirs.hessian_vector_product = lambda *a: (counted.append(1), product(*a))[1]
        study = theirs.hessian(model, loss, data=(inputs, targets), cuda=False)
        graph, processor = time.perf_counter() - start, time.process_time()
        eigenvalue = study.eigenvalues(maxIter=100, tol=1e-3)[0][0]
        theirs.hessian_vector_product = product
        name = "PyHessian"
    except ModuleNotFoundError:
        parameters = [p for p in model.parameters() if p.requires_grad]
        gradient = torch.autograd.grad(loss(model(inputs), targets), parameters, create_graph=True)
        graph, processor = time.perf_counter() - start, time.process_time()

        def normalised(v):
            length = sum((x * x).sum() for x in v).sqrt() + 1e-6
            return [x / length for x in v]

        v, eigenvalue = normalised([torch.randn(p.size()) for p in parameters]), None
        for _ in range(100):
            hv = torch.autograd.grad(gradient, parameters, grad_outputs=v, retain_graph=True)
            counted.append(1)
            last, eigenvalue = eigenvalue, sum((a * b).sum() for a, b in zip(hv, v)).item()
            v = normalised(hv)
            if last is not None and abs(last - eigenvalue) / (abs(last) + 1e-6) < 1e-3:
                break
        name = "its algorithm"
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    model.zero_grad(set_to_none=True)
    return {"graph_seconds": graph, "seconds": seconds, "processor_seconds": processor, "products": len(counted), "eigenvalue": eigenvalue,
            "by": name, "torch": torch.__version__}


def pytorch(options):
    """Serves: one turn for each line read."""
    import torch
    from pytorch_models import build

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    data = Path(options.data)
    record = (data / "cifar-10-batches-bin/data_batch_1.bin").read_bytes()[:3073 * options.images]
    record = torch.frombuffer(bytearray(record), dtype=torch.uint8).view(-1, 3073)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    inputs = (record[:, 1:].view(-1, 3, 32, 32) / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    targets = record[:, 0].long()
    model = build("resnet20", [3, 32, 32])
    given = torch.load(data / "weights/resnet20-12fca82f.th", map_location="cpu", weights_only=True)["state_dict"]
    own = {name: v for name, v in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    assert [v.shape for v in own.values()] == [v.shape for v in given.values()], "the same layers in the same order"
    model.load_state_dict(dict(zip(own, given.values())), strict=False)
    model.eval()
    loss = torch.nn.CrossEntropyLoss()
    with torch.no_grad():
        value = loss(model(inputs), targets).item()
    print(json.dumps({"ready": True, "loss": value}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(double_backward(model, loss, inputs, targets)), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--example", default=str(HERE.parent / "target/release/examples/hessian_speed"))
    p.add_argument("--python", default=sys.executable, help="a Python with torch")
    p.add_argument("--data", default=os.environ.get("RESLAB_DATA"), help="folder with CIFAR-10 and weights/")
    p.add_argument("--images", type=int, default=200)
    p.add_argument("--tolerance", type=float, default=1e-2, help="of reslab: residual over eigenvalue")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--serve-pytorch", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("--out", default=str(HERE / "out" / "hessian"))
    options = p.parse_args()
    if options.serve_pytorch:
        return pytorch(options)
    same = ["--data", options.data, "--images", str(options.images), "--threads", str(options.threads)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    torch = subprocess.Popen([options.python, __file__, "--serve-pytorch", *same], **pipes)
    ready = json.loads(torch.stdout.readline())
    weights = str(Path(options.data) / "weights/resnet20-12fca82f.th")
    ours = subprocess.Popen([options.example, weights, str(options.images), str(options.threads)],
                            env={**os.environ, "RESLAB_DATA": options.data}, **pipes)

    def ask(peer, line):
        peer.stdin.write(f"{line}\n")
        peer.stdin.flush()
        return json.loads(peer.stdout.readline())

    raw = {"reslab": [], "PyTorch": []}
    ask(ours, options.tolerance)  # touches memory
    ask(torch, "again")
    for at in range(options.rounds):
        if at % 2 == 0:
            raw["PyTorch"].append(ask(torch, "again"))
        raw["reslab"].append(ask(ours, options.tolerance))
        if at % 2:
            raw["PyTorch"].append(ask(torch, "again"))
    for peer in (torch, ours):
        peer.stdin.close()
        peer.wait()

    whole = {name: statistics.median(a["seconds"] for a in answers) for name, answers in raw.items()}
    theirs = raw["PyTorch"]
    product = statistics.median((a["seconds"] - a["graph_seconds"]) / a["products"] for a in theirs)

    def span(name, key, form):
        values = [a[key] for a in raw[name]]
        low, high = min(values), max(values)
        return form.format(low) if low == high else f"{form.format(low)} to {form.format(high)}"

    def error(name):
        worst = max(abs(a["eigenvalue"] - EIGENVALUE) / EIGENVALUE for a in raw[name])
        return f"{worst:.0e}"

    text = (f"| ResNet-20, {options.images} images, {options.threads} threads | reslab | {theirs[0]['by']} |\n"
            "| --- | ---: | ---: |\n"
            f"| whole search, s | {span('reslab', 'seconds', '{:.2f}')} | {span('PyTorch', 'seconds', '{:.2f}')} |\n"
            f"| products with all images | {span('reslab', 'products', '{}')} | {span('PyTorch', 'products', '{}')} |\n"
            f"| largest relative error, against `float64` | {error('reslab')} | {error('PyTorch')} |\n\n"
            f"Medians {whole['reslab']:.2f} and {whole['PyTorch']:.2f} s: "
            f"{whole['PyTorch'] / whole['reslab']:.1f} times. One product of PyTorch {1e3 * product:.0f} ms; "
            f"tolerance of reslab {options.tolerance}.\n")
    print(text, end="")
    save(options.out, text, {"machine": machine(), "images": options.images, "rounds": raw})


if __name__ == "__main__":
    main()
