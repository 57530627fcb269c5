"""Exported and quantised models, against torch, against integers worked out by hand, and in a process without torch."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import C, D, modes, numbers, refusals
from torch import nn

from kdcourse import ship
from kdcourse.models import cnn, mlp
from kdcourse.ship import serve

pytestmark = pytest.mark.slow  # an export in most tests

WHY = "needs the extra export: pip install kdcourse[export]"
onnx = pytest.importorskip("onnx", reason=WHY)
pytest.importorskip("onnxscript", reason=WHY)
onnxruntime = pytest.importorskip("onnxruntime", reason=WHY)

MODELS = {
    "mlp": (mlp((D, 16, C), seed=0), numbers(40, D)),
    "cnn": (cnn((4, 6), image=(1, 8, 8), classes=C, seed=0), numbers(40, 64)),
    "ids": (
        mlp((30, 8, C), seed=0, ids=True),
        torch.randint(0, 30, (40, 5), generator=torch.Generator().manual_seed(0)),
    ),
}
MODELS["cnn"][0][1].eval()  # one part in another mode than the rest


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """{name: Export} of all models, each in a folder of its own."""
    made = {}
    for name, (model, inputs) in MODELS.items():
        before = modes(model)
        made[name] = ship.export_onnx(model, inputs, tmp_path_factory.mktemp(name) / "model.onnx")
        assert modes(model) == before
    return made


def runtime(path, inputs):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (answers,) = session.run(["logits"], {"inputs": inputs.numpy()})
    return torch.from_numpy(answers)


def expected(name, inputs):
    model = MODELS[name][0]
    were = [(module, module.training) for module in model.modules()]
    with torch.no_grad():
        logits = model.eval()(inputs)
    for module, mode in were:
        module.training = mode
    return logits


@pytest.mark.parametrize("name", MODELS)
def test_an_exported_model_answers_as_torch_does_in_batches_of_any_size(exports, name):
    inputs = MODELS[name][1]
    for rows in (inputs, inputs[:1], inputs[3:10]):
        torch.testing.assert_close(runtime(exports[name].path, rows), expected(name, rows), rtol=1e-4, atol=1e-5)
        logits = ship.onnx_logits(exports[name].path, rows, batch_size=3)
        torch.testing.assert_close(logits, expected(name, rows), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_an_export_says_its_size_and_how_far_it_was_from_torch(exports, name):
    made = exports[name]
    files = list(made.path.parent.iterdir())
    assert {file.name for file in files} <= {"model.onnx", "model.onnx.data"}
    assert made.bytes == sum(file.stat().st_size for file in files) > ship.size_in_bytes(MODELS[name][0])
    kinds = {"given", "random", "zeros", "constant"} | ({"large"} if name != "ids" else set())
    assert made.differences.keys() == kinds
    assert made.difference == max(made.differences.values()) <= made.tolerance == 1e-4


class Drifting(nn.Module):
    """Answers otherwise once it is exported, by `drift(inputs)`."""

    def __init__(self, drift):
        super().__init__()
        self.layer, self.drift = nn.Linear(D, C), drift

    def forward(self, inputs):
        logits = self.layer(inputs)
        return logits + self.drift(inputs) if torch.compiler.is_exporting() else logits


@pytest.mark.parametrize(
    ("kind", "drift"),
    [
        ("zeros", lambda x: torch.where((x == 0).all(1, keepdim=True), 0.01, 0.0)),
        ("large", lambda x: torch.where((x > 1000).any(1, keepdim=True), torch.nan, 0.0)),
    ],
    ids=["off", "nan"],
)
def test_a_model_that_answers_otherwise_is_not_written(tmp_path, kind, drift):
    path = tmp_path / "model.onnx"
    path.write_text("as before")
    with pytest.raises(ValueError, match=f"tolerance 0.0001 is exceeded: on {kind} inputs the exported model differs"):
        ship.export_onnx(Drifting(drift), numbers(9, D), path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    assert path.read_text() == "as before"


@refusals(
    "arguments",
    ({"model": len}, TypeError, "model must be an nn.Module, got builtin_function_or_method"),
    ({"inputs": numbers(1, D)}, ValueError, "inputs must hold at least 2 examples, got 1"),
    ({"inputs": numbers(4, D + 1)}, ValueError, "inputs must fit the model"),
    ({"inputs": numbers(4, D).log(), "path": "new/model.onnx"}, ValueError, "inputs must be finite, got nan in row 0"),
    ({"path": "model.pt"}, ValueError, "path must end with .onnx, got model.pt"),
    ({"tolerance": 0}, ValueError, "tolerance must be > 0, got 0"),
)
def test_exporting_names_what_it_refuses(tmp_path, arguments, error, message):
    given = {"model": mlp((D, C), seed=0), "inputs": numbers(4, D), "path": "model.onnx"} | arguments
    with pytest.raises(error, match=message):
        ship.export_onnx(**given | {"path": tmp_path / given["path"]})
    assert list(tmp_path.iterdir()) == []


def test_folders_on_the_way_are_made(tmp_path):
    made = ship.export_onnx(mlp((D, C), seed=0), numbers(4, D), tmp_path / "a" / "b" / "model.onnx")
    assert made.path.exists()


class Branching(nn.Module):
    """What it computes depends on the values that it gets, which no graph can say."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(D, C)

    def forward(self, inputs):
        return self.layer(inputs) if inputs.sum() > 0 else -self.layer(inputs)


def test_a_model_that_torch_cannot_export_is_refused_in_one_line(tmp_path, capsys):
    with pytest.raises(
        ValueError, match="^model must be one that torch can export, got Branching: .*data-dep"
    ) as refused:
        ship.export_onnx(Branching(), numbers(4, D), tmp_path / "model.onnx")
    assert str(refused.value).isprintable()  # no line breaks, no colours
    assert refused.value.__suppress_context__  # nor what torch says besides
    assert capsys.readouterr().err == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_numbers_of_any_float_type_are_answered(exports, dtype):
    inputs = MODELS["mlp"][1].to(dtype)
    logits = ship.onnx_logits(exports["mlp"].path, inputs)
    torch.testing.assert_close(logits, expected("mlp", inputs.float()), rtol=1e-4, atol=1e-5)
    table = ship.latency({"onnx": exports["mlp"].path}, inputs, rounds=6, seconds=1e-6, progress=False)
    assert (table.median_ms > 0).all()


def test_a_model_in_double_precision_answers_in_it(tmp_path):
    model, inputs = mlp((D, C), seed=0).double(), numbers(4, D, dtype=torch.float64)
    path = ship.export_onnx(model, inputs, tmp_path / "model.onnx").path
    torch.testing.assert_close(ship.onnx_logits(path, inputs.float()), model(inputs.float().double()).detach())


@refusals(
    "inputs",
    (numbers(3, D + 1), ValueError, rf"^inputs must fit the model, got torch.float32 of shape \[3, {D + 1}\]: "),
    (torch.ones(3, D, dtype=torch.long), ValueError, "^inputs must fit the model, got torch.int64 of shape"),
)
def test_inputs_that_do_not_fit_a_file_are_refused_by_name(exports, inputs, error, message):
    with pytest.raises(error, match=message):
        ship.onnx_logits(exports["mlp"].path, inputs)


def test_a_module_counts_each_parameter_and_each_buffer_once():
    model = nn.Sequential(nn.Embedding(30, 8), nn.Linear(8, 30, bias=False))
    model[1].weight = model[0].weight
    model.register_buffer("scale", torch.ones(3, dtype=torch.float64), persistent=False)
    model.register_buffer("steps", torch.ones(2, dtype=torch.int16))
    assert ship.size_in_bytes(model) == 30 * 8 * 4 + 3 * 8 + 2 * 2


# ---- int8 ----


def weights_of(path):
    """{shape: integers} of the weights in a quantised graph."""
    tensors = [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer]
    return {tensor.shape: tensor for tensor in tensors if tensor.dtype == np.int8 and tensor.ndim > 1}


def rounded(x, seen):
    """x in 256 steps, from the lowest to the highest of what was seen, and of 0."""
    low, high = min(seen.min(), 0), max(seen.max(), 0)
    scale = (high - low) / 255
    zero = torch.round(-low / scale)
    return scale * ((torch.round(x / scale) + zero).clamp(0, 255) - zero)


def in_integers(model, inputs, bits, seen=None):
    """The MLP with rounded activations, and weights rounded with a scale per output; `seen`: calibration examples.

    With these, what is answered is rounded too.
    """
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Linear):
                scales = layer.weight.abs().amax(1, keepdim=True) / {7: 64, 8: 127}[bits]
                inputs = rounded(inputs, inputs if seen is None else seen)
                inputs = nn.functional.linear(inputs, scales * torch.round(layer.weight / scales), layer.bias)
            else:
                inputs = layer(inputs)
            seen = None if seen is None else layer(seen)
    return inputs if seen is None else rounded(inputs, seen)


@pytest.mark.parametrize("method", ["dynamic", "static"])
@pytest.mark.parametrize("reduce_range", [True, False])
def test_int8_is_the_arithmetic_of_whole_numbers(exports, tmp_path, method, reduce_range):
    model, inputs = MODELS["mlp"]
    calibration = inputs[:20] if method == "static" else None
    made = ship.quantize_int8(
        exports["mlp"].path, tmp_path / "int8.onnx", method=method, calibration=calibration, reduce_range=reduce_range
    )
    weights = weights_of(made.path)
    assert len(weights) == 2
    assert max(abs(each.astype(int)).max() for each in weights.values()) in ((63, 64) if reduce_range else (127, 128))
    assert made[2:] == (method, reduce_range, ship.processor())
    assert [file.name for file in tmp_path.iterdir()] == ["int8.onnx"]
    assert made.bytes == made.path.stat().st_size
    if reduce_range or made.processor.vnni:  # else sums may be cut off, which is why the range is reduced
        exact = in_integers(model, inputs[:20], 7 if reduce_range else 8, calibration)
        answers = runtime(made.path, inputs[:20])
        off = abs(expected("mlp", inputs[:20]) - exact).mean()  # what rounding to integers costs
        assert off > 0
        assert abs(answers - exact).mean() < off / 10


def test_a_cnn_is_quantised_too_and_the_range_follows_the_processor(exports, tmp_path, monkeypatch):
    model, inputs = MODELS["cnn"]
    for vnni in (True, False):
        here = ship.Processor("a processor", "x86_64", (), vnni)
        monkeypatch.setattr(ship.quantize, "processor", lambda here=here: here)
        made = ship.quantize_int8(exports["cnn"].path, tmp_path / "q.onnx", method="static", calibration=inputs)
        assert made.reduce_range == (not vnni)
        assert len(weights_of(made.path)) >= 4
    spread = expected("cnn", inputs).std()
    assert (runtime(made.path, inputs) - expected("cnn", inputs)).abs().mean() < 0.2 * spread


def test_the_processor_is_the_one_that_torch_sees():
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    here = ship.processor()
    if capabilities is None or not here.flags:
        pytest.skip("torch or the system does not say what the processor can do")
    sees = capabilities()
    for name in ("avx2", "sse4_2", "avx512_vnni"):
        assert (name in here.flags) == bool(sees.get(name)), name
    assert here.vnni == bool(sees.get("avx512_vnni") or sees.get("avx_vnni"))


@refusals(
    "arguments",
    ({"method": "qat"}, ValueError, "method must be one of 'dynamic', 'static', got 'qat'"),
    ({"method": "static"}, ValueError, "calibration must be a tensor of real examples with method='static', got None"),
    ({"calibration": numbers(3, D)}, ValueError, "calibration must be None with method='dynamic', got torch.float32"),
)
def test_quantising_names_what_it_refuses(exports, tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        ship.quantize_int8(exports["mlp"].path, tmp_path / "q.onnx", **arguments)


# ---- measured and served ----


def test_onnx_files_are_measured_beside_modules(exports):
    models = {"torch": MODELS["mlp"][0], "onnx": exports["mlp"].path, "text": str(exports["mlp"].path)}
    inputs = MODELS["mlp"][1]
    table = ship.latency(models, inputs, rounds=6, seconds=1e-6, progress=False)
    assert table.index.tolist() == list(models)
    assert (table.median_ms > 0).all()
    assert len(ship.latency_percentiles(models, inputs, batch_sizes=[1, 40], requests=5, progress=False)) == 6
    assert len(ship.throughput(models, inputs, callers=[2], requests=5)) == 3
    with pytest.raises(ValueError, match="for 'onnx', inputs must fit the model, got torch.float32 of shape"):
        ship.latency({"onnx": exports["mlp"].path}, numbers(3, D + 1))


def test_a_file_that_is_no_onnx_file_is_refused(tmp_path):
    (tmp_path / "text.onnx").write_text("text")
    with pytest.raises(ValueError, match="path must be an ONNX file that ONNX Runtime takes, got .*text.onnx"):
        ship.open_session(tmp_path / "text.onnx")


def test_a_fresh_process_answers_from_an_onnx_file_without_torch(exports):
    table = ship.cold_start({name: made.path for name, made in exports.items()}, rounds=1)
    assert table.torch.tolist() == [False] * len(MODELS)
    assert (table.start_ms > table.again_ms).all()


# Neither torch nor this package can be imported where the server runs.
ALONE = (
    "import runpy, sys; sys.modules.update(torch=None, kdcourse=None); runpy.run_path(sys.argv[1], None, '__main__')"
)


@pytest.fixture(scope="module")
def server(exports):
    """The address of `serve.py`, with the MLP, in a process of its own."""
    patched = ALONE.replace("runpy.run_path", "path = sys.argv.pop(1); runpy.run_path").replace("sys.argv[1]", "path")
    command = [
        sys.executable,
        "-c",
        patched,
        Path(ship.__file__).with_name("serve.py"),
        exports["mlp"].path,
        "--port=0",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.mark.parametrize("row", [[1.9, 2.7], [1.0, 2.0], [True, 2], ["1", "2"], [10**30, 1], [10**400, 1]])
def test_the_server_takes_whole_numbers_alone_for_ids(exports, row):
    session = serve.load(str(exports["ids"].path))
    with pytest.raises(ValueError, match='send JSON {"inputs": .*, whole numbers alone, all rows of one length'):
        serve.answer(session, json.dumps({"inputs": [[*row, 3, 4, 5]]}).encode())
    assert len(serve.answer(session, b'{"inputs": [[1, 2, 3, 4, 5]]}')["classes"]) == 1


def post(address, body):
    with urllib.request.urlopen(urllib.request.Request(address, data=body), timeout=30) as reply:
        return json.load(reply)


def test_the_server_answers_as_torch_does_several_callers_at_once(server):
    inputs = MODELS["mlp"][1]
    batches = [inputs[:1], inputs, inputs[7:9], inputs[5:6]]
    with ThreadPoolExecutor(4) as pool:
        bodies = [json.dumps({"inputs": batch.tolist()}).encode() for batch in batches]
        replies = list(pool.map(lambda body: post(server, body), bodies))
    for batch, reply in zip(batches, replies, strict=True):
        probabilities = expected("mlp", batch).softmax(1)
        torch.testing.assert_close(torch.tensor(reply["probabilities"]), probabilities, rtol=1e-4, atol=1e-5)
        assert reply["classes"] == probabilities.argmax(1).tolist()
    with urllib.request.urlopen(server, timeout=30) as reply:
        assert json.load(reply)["inputs"][1:] == [D]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"not JSON", "send JSON"),
        (b"[[1, 2]]", "send JSON"),
        (b'{"inputs": [[1, 2], [3]]}', "all rows of one length"),
        (b'{"inputs": [[1, 2]]}', rf"inputs must be \['N', {D}\], got \[1, 2\]"),
        (b'{"inputs": []}', r"got \[0\]"),
        (json.dumps({"inputs": [[float("nan")] * D]}).encode(), "inputs must be finite"),
        (json.dumps({"inputs": [["1"] * D]}).encode(), "numbers alone"),
        (json.dumps({"inputs": [[1.5] * (D - 1) + [True]]}).encode(), "numbers alone"),
        (json.dumps({"inputs": [[None] * D]}).encode(), "numbers alone"),
        (json.dumps({"inputs": [[10**400] * D]}).encode(), "numbers alone"),
        (json.dumps({"inputs": [[10**39] * D]}).encode(), "inputs must be finite"),
        (b'{"inputs": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "send JSON"),
        (b"", "a request must have from 1 to"),
    ],
)
def test_the_server_says_what_is_wrong_and_goes_on(server, body, message):
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(server, body)
    with refused.value as reply:
        assert reply.code == 400
        assert re.search(message, json.load(reply)["error"])
    assert len(post(server, json.dumps({"inputs": [[0.0] * D]}).encode())["classes"]) == 1
