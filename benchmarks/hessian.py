#!/usr/bin/env python3
"""The largest eigenvalue of the Hessian of ResNet-20's published weights: reslab beside PyHessian.

    cargo build --release -p reslab-nn --example hessian_speed
    python3 benchmarks/hessian.py --python venv/bin/python --data DATA

DATA holds cifar-10-batches-bin/ and weights/resnet20-12fca82f.th. Mean cross-entropy of the first images of
data_batch_1.bin, evaluation mode, all parameters, f32. PyHessian (pip install pyhessian; the 20 lines of its algorithm
below where it is not installed) differentiates twice: once to the gradient with a graph, then once for each product,
until the eigenvalue changes by less than a thousandth. reslab goes to the point and makes as many products. They take
turns; products are timed without what comes before the first, by the clock and by what the processors worked for
them, which other programs change less.
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
    p.add_argument("--rounds", type=int, default=3)
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

    products, raw = 12, {"reslab": [], "PyTorch": []}
    ask(ours, 2)  # touches memory
    for at in range(options.rounds):
        if at % 2 == 0:
            raw["PyTorch"].append(ask(torch, "again"))
            products = raw["PyTorch"][-1]["products"]
        raw["reslab"].append(ask(ours, products))
        if at % 2:
            raw["PyTorch"].append(ask(torch, "again"))
    for peer in (torch, ours):
        peer.stdin.close()
        peer.wait()

    def median(values):
        return statistics.median(list(values))

    each = {
        "reslab": median((a["seconds"] - a["point_seconds"]) / len(a["eigenvalues"]) for a in raw["reslab"]),
        "PyTorch": median((a["seconds"] - a["graph_seconds"]) / a["products"] for a in raw["PyTorch"]),
    }
    worked = {
        "reslab": median(a["processor_seconds"] / len(a["eigenvalues"]) for a in raw["reslab"]),
        "PyTorch": median(a["processor_seconds"] / a["products"] for a in raw["PyTorch"]),
    }
    before = {"reslab": median(a["point_seconds"] for a in raw["reslab"]),
              "PyTorch": median(a["graph_seconds"] for a in raw["PyTorch"])}
    whole = {name: median(a["seconds"] for a in answers) for name, answers in raw.items()}
    counts = [a["products"] for a in raw["PyTorch"]]
    found = [a["eigenvalue"] for a in raw["PyTorch"]]
    text = (f"| ResNet-20, {options.images} images, {options.threads} threads | reslab | {raw['PyTorch'][0]['by']} | × |\n"
            "| --- | ---: | ---: | ---: |\n"
            f"| one product, ms | {1e3 * each['reslab']:.0f} | {1e3 * each['PyTorch']:.0f} "
            f"| {each['PyTorch'] / each['reslab']:.1f} |\n"
            f"| … time of the processors, ms | {1e3 * worked['reslab']:.0f} | {1e3 * worked['PyTorch']:.0f} "
            f"| {worked['PyTorch'] / worked['reslab']:.1f} |\n"
            f"| before the first: gradient, ms | {1e3 * before['reslab']:.0f} | {1e3 * before['PyTorch']:.0f} "
            f"| {before['PyTorch'] / before['reslab']:.1f} |\n"
            f"| all of a turn ({min(counts)} to {max(counts)} products), s | {whole['reslab']:.2f} "
            f"| {whole['PyTorch']:.2f} | {whole['PyTorch'] / whole['reslab']:.1f} |\n\n"
            f"Eigenvalues after the last product: reslab {raw['reslab'][-1]['eigenvalues'][-1]:.5f} "
            f"(‖Hv‖ {raw['reslab'][-1]['product_norm']:.5f}), "
            f"PyTorch {', '.join(f'{v:.5f}' for v in found)}; loss {raw['reslab'][-1]['loss']:.7f} "
            f"and {ready['loss']:.7f}.\n")
    print(text, end="")
    save(options.out, text, {"machine": machine(), "images": options.images, "rounds": raw})


if __name__ == "__main__":
    main()
