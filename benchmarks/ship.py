"""What teacher and students cost to serve, step by step: size, latency, accuracy and the worst class, in two settings.

    python benchmarks/ship.py [--quick]

Students are those of the claim `pruning-and-int8-stack-with-distillation`, on its first block; what it has trained is
taken from this user's cache. All models of a setting take turns, on one thread. Beside the table: several callers at
once, cold start and memory, and other ways to int8: torch.ao, which torch is going to drop, and torchao, if it is
installed (pip install torchao). Writes benchmarks/results/ship.json; a quick run leaves settings as they begin, times
fewer requests, and says so in the file.
"""

import argparse
import copy
import datetime
import importlib.metadata
import importlib.util
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from kdcourse import data, devices, ship, store
from kdcourse.claims import shipping
from kdcourse.claims.ledger import Bench
from kdcourse.claims.settings import SETTINGS
from kdcourse.models import channels_for_ratio, cnn, mlp
from kdcourse.ship.export import quiet
from kdcourse.stats import proportion_interval
from kdcourse.train import load_teacher

RESULTS = Path(__file__).resolve().parent / "results" / "ship.json"
BATCHES = (1, 64)
REQUESTS = {1: 3000, 64: 300}  # of a full run; a quick one has 200
IN_TORCH = """
import torch
from kdcourse.train import load_teacher
model, inputs = load_teacher("fashion-mnist"), torch.zeros(1, 784)
def answer():
    with torch.inference_mode():
        return model(inputs)
"""


def students(bench, kind, quick):
    """{name: model} in the order of the table."""
    how = shipping.ARMS if quick else {arm: shipping.chosen(bench, kind, arm, at) for arm, at in shipping.ARMS.items()}
    labels, distilled = (shipping.trained(bench, kind, arm, 0, how[arm]) for arm in ("labels", "distilled"))
    gentle = {**how["distilled"], "lr": how["distilled"]["lr"] / 2}
    if not quick:
        gentle = shipping.chosen(bench, kind, "again", gentle, how["distilled"])
    return {
        f"{kind}, labels": labels,
        f"{kind}, distilled": distilled,
        f"{kind}, half cut": shipping.trained(bench, kind, "again", 0, gentle, how["distilled"]),
        f"{kind}, 80 % zeros": ship.prune_weights(distilled, shipping.WEIGHTS),
    }


def written(models, examples, folder):
    """{name: path} of every model in float32, and of the distilled and the cut ones in int8 both ways."""
    paths = {}
    for name, model in models.items():
        stem = folder / name.replace(", ", "-").replace(" ", "-").replace("%", "")
        paths[name] = ship.export_onnx(model, examples, stem.with_suffix(".onnx")).path
        if name.endswith(("distilled", "half cut")):
            for method in ("dynamic", "static"):
                some = examples if method == "static" else None
                out = stem.with_name(f"{stem.name}-{method}.onnx")
                paths[f"{name}, int8 {method}"] = ship.quantize_int8(
                    paths[name], out, method=method, calibration=some
                ).path
    return paths


def judged(bench, logits):
    """Accuracy on test with its interval, and that of the class which is worst on validation."""
    right = {name: (said.argmax(1) == getattr(bench.data, name).labels).numpy() for name, said in logits.items()}
    classes = {name: getattr(bench.data, name).labels.numpy() for name in logits}
    counted = [k for k in np.unique(classes["validation"]) if (classes["validation"] == k).sum() >= shipping.FEWEST]
    worst = min(counted, key=lambda k: right["validation"][classes["validation"] == k].mean())
    inside = right["test"][classes["test"] == worst]
    return share(right["test"]) | {"worst": {"class": bench.data.class_names[worst]} | share(inside)}


def share(right):
    low, high = proportion_interval(int(right.sum()), len(right))
    return {"accuracy": float(right.mean()), "low": low, "high": high, "examples": len(right)}


def table(name, folder, quick):
    """The rows of one setting, and {name: path or model} of what was timed."""
    bench = Bench(SETTINGS[name], data.load(name), lambda *_, **__: None, "cpu")
    models = {name: model for kind in shipping.KINDS[name] for name, model in students(bench, kind, quick).items()}
    splits = {split: getattr(bench.data, split) for split in ("validation", "test")}
    rows = {"teacher": judged(bench, {split: some.teacher_logits for split, some in splits.items()})}
    rows["teacher"]["bytes"] = 4 * bench.data.teacher_parameters
    if name == "fashion-mnist":
        models = {"teacher": load_teacher(name), **models}
    examples = shipping.block(bench, 0).inputs[: shipping.CALIBRATE_ON]
    paths = written(models, examples, folder)
    for model, path in paths.items():
        if model != "teacher":
            said = {split: ship.onnx_logits(path, some.inputs) for split, some in splits.items()}
            rows[model] = judged(bench, said)
        rows[model]["bytes"] = ship.size_in_bytes(path)
    inputs = bench.data.test.inputs[: max(BATCHES)]
    for one, many in REQUESTS.items():
        timed = ship.latency_percentiles(paths, inputs, batch_sizes=[one], requests=200 if quick else many)
        for (model, size), row in timed.iterrows():
            rows[model][f"batch {size}"] = row[["p50_ms", "p95_ms", "p99_ms"]].to_dict()
    sizes = {size: ship.latency(paths, inputs, batch_size=size, rounds=9 if quick else 60) for size in BATCHES}
    for size, found in sizes.items():
        base = {model: model.partition(", int8")[0] for model in paths}
        for model in paths:
            rows[model][f"batch {size}"]["as fast as in float32"] = (
                found.loc[base[model], "median_ms"] / found.loc[model, "median_ms"]
            )
    return [{"model": model, **row} for model, row in rows.items()], models, paths, inputs


def other_ways(model, paths, inputs, quick):
    """int8 of the MLP by torch.ao and by torchao, beside torch in float32 and ONNX Runtime; and what they say."""
    ways = {"torch, float32": model, **{f"ONNX Runtime, {k}": v for k, v in paths.items()}}
    notes = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ways["torch.ao, int8"] = torch.ao.quantization.quantize_dynamic(copy.deepcopy(model), {torch.nn.Linear})
    notes["torch.ao"] = next((str(one.message).split("\n")[0] for one in caught), "no warning")
    if importlib.util.find_spec("torchao") is None:
        notes["torchao"] = "not installed"
    else:
        with quiet():
            from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

            other = copy.deepcopy(model)
            quantize_(other, Int8DynamicActivationInt8WeightConfig())
        ways["torchao, int8"] = other
        notes["torchao"] = importlib.metadata.version("torchao")
    found = [ship.latency(ways, inputs, batch_size=size, rounds=9 if quick else 60) for size in BATCHES]
    sized = dict(zip(BATCHES, found, strict=True))
    rows = [{"way": way} | {f"batch {size}": one.loc[way, "median_ms"] for size, one in sized.items()} for way in ways]
    return {"median_ms": rows, "notes": notes}


def shapes(examples, folder, quick):
    """How many times as fast int8 is as float32, for networks of several shapes; they are untrained."""
    small = channels_for_ratio(shipping.RATIO, data.load("fashion-mnist").teacher_parameters)
    networks = {f"MLP, {width} units": mlp((784, width, 10), seed=0) for width in (64, 256, 512, 1024)}
    networks |= {f"CNN, {small} channels": cnn(small, seed=0), "CNN, (32, 64, 128) channels": cnn(seed=0)}
    rows = []
    for k, (name, network) in enumerate(networks.items()):
        paths = {"float32": ship.export_onnx(network, examples, folder / f"shape{k}.onnx").path}
        for method in ("dynamic", "static"):
            out, some = folder / f"shape{k}-{method}.onnx", examples if method == "static" else None
            paths[method] = ship.quantize_int8(paths["float32"], out, method=method, calibration=some).path
        for size in BATCHES:
            found = ship.latency(paths, examples, batch_size=size, rounds=9 if quick else 60, progress=False)
            for method, row in found[["median_ms", "faster", "faster_low", "faster_high"]].iterrows():
                rows.append({"network": name, "batch": size, "weights": method, **row.to_dict()})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="settings as they begin, fewer requests")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quick, began = arguments.quick, time.perf_counter()
    torch.set_num_threads(1)
    found = {
        "date": str(datetime.date.today()),
        "machine": devices.machine(),
        "processor": ship.processor()._asdict(),
        "threads": 1,
    }
    found |= {"quick": quick, "onnxruntime": importlib.metadata.version("onnxruntime"), "settings": {}}
    with tempfile.TemporaryDirectory() as name:
        for setting in shipping.KINDS:
            folder = Path(name, setting)
            folder.mkdir()
            found["settings"][setting], models, paths, inputs = table(setting, folder, quick)
            for row in found["settings"][setting]:
                times = row.get("batch 1", {"p50_ms": float("nan"), "p99_ms": float("nan")})
                worst = f"{row['worst']['class']} {row['worst']['accuracy']:.1%}"
                print(
                    f"{row['model']:<34} {row['bytes']:>10,} bytes  {times['p50_ms']:.4f} ms, p99 {times['p99_ms']:.4f}"
                )
                print(f"{'':<34} {row['accuracy']:.1%} [{row['low']:.1%}, {row['high']:.1%}], {worst}")
            if setting == "fashion-mnist":
                chosen = {who: paths[who] for who in ("teacher", "MLP, distilled", "MLP, distilled, int8 static")}
                some = {"requests": 50 if quick else 1000}
                together = ship.throughput(chosen, inputs, **some).reset_index()
                found["shapes"] = shapes(inputs, folder, quick)
                found["throughput"] = together.to_dict("records")
                programs = {"teacher, torch": IN_TORCH} | {f"{who}, ONNX Runtime": path for who, path in chosen.items()}
                cold = ship.cold_start(programs, rounds=1 if quick else 5)
                found["cold start"] = cold.reset_index().to_dict("records")
                mlp_paths = {who: paths[who] for who in paths if who.startswith("MLP, distilled")}
                found["other ways"] = other_ways(models["MLP, distilled"], mlp_paths, inputs, quick)
                print(together.round(3), cold.round(1), found["other ways"], sep="\n")
    store.save_json(arguments.results, found | {"seconds": round(time.perf_counter() - began, 1)})


if __name__ == "__main__":
    main()
