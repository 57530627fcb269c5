"""Files are whole or absent, whatever kills the writer; what is read back is what was written."""

import hashlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from kdcourse import store

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
json_values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
)
TENSORS = {"weight": torch.arange(12.0).view(3, 4), "bias": torch.ones(3, dtype=torch.float16)}


def write_json(path):
    store.save_json(path, {"new": True})


def write_tensors(path):
    store.save_tensors(path, TENSORS, {"new": True})


@given(json_values)
def test_json_comes_back_as_it_was(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    store.save_json(path, value)
    back = store.load_json(path)
    assert back == value
    assert repr(back) == repr(value)  # 1, 1.0 and True are equal, and -0.0 and 0.0
    assert json.loads(path.read_bytes()) == value


@given(
    st.dictionaries(
        text.filter(lambda name: name != "__metadata__"),
        arrays(
            st.sampled_from([np.float16, np.float32, np.float64, np.int64, np.uint8, np.bool_]),
            array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
        ),
        max_size=3,
    ),
    json_values,
)
def test_tensors_and_metadata_come_back_bit_for_bit(tmp_path_factory, stored, metadata):
    path = tmp_path_factory.getbasetemp() / "value.safetensors"
    store.save_tensors(path, {name: torch.from_numpy(value) for name, value in stored.items()}, metadata)
    tensors, about = store.load_tensors(path)
    assert about == metadata
    assert tensors.keys() == stored.keys()
    for name, value in stored.items():
        assert tensors[name].numpy().dtype == value.dtype
        assert tensors[name].numpy().shape == value.shape
        assert tensors[name].numpy().tobytes() == value.tobytes()


def test_views_and_tensors_that_share_memory_are_stored_by_value(tmp_path):
    base = torch.arange(24.0).view(2, 3, 4)
    views = {
        "transposed": base.transpose(0, 2),
        "strided": base[:, ::2],
        "expanded": torch.ones(1).expand(3),
        "channels_last": base.unsqueeze(0).contiguous(memory_format=torch.channels_last),
        "first": base[0],
        "second": base[1],
        "parameter": torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16)),
    }
    views["tied"] = views["parameter"]
    store.save_tensors(tmp_path / "views", views)
    tensors, about = store.load_tensors(tmp_path / "views")
    assert about is None
    assert all(torch.equal(tensors[name], value) for name, value in views.items())
    assert not any(tensor.requires_grad for tensor in tensors.values())


def test_missing_folders_are_made_and_an_old_file_is_replaced(tmp_path):
    path = tmp_path / "a" / "b" / "value.json"
    store.save_json(path, [1])
    store.save_json(path, [2])
    assert store.load_json(path) == [2]
    assert os.listdir(path.parent) == ["value.json"]


# ---- atomicity ----


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("writer", ["save_json(sys.argv[1], {})", "save_tensors(sys.argv[1], {'one': torch.ones(9)})"])
def test_a_writer_killed_before_the_last_step_leaves_the_old_file(tmp_path, writer, step):
    path = tmp_path / "value"
    path.write_bytes(b"the old file")
    script = f"""
import os, signal, sys, torch
from kdcourse import store
os.{step} = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
store.{writer}
"""
    finished = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert finished.returncode == -signal.SIGKILL, finished.stderr
    assert path.read_bytes() == b"the old file"


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("write", [write_json, write_tensors])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_on_the_way_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, write, step, error):
    path = tmp_path / "value"
    path.write_bytes(b"the old file")

    def fail(*_):
        raise error("disk full")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(error, match="disk full"):
        write(path)
    assert os.listdir(tmp_path) == ["value"]
    assert path.read_bytes() == b"the old file"


@pytest.mark.parametrize("write", [write_json, write_tensors])
def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path, monkeypatch, write):
    path, seen = tmp_path / "value", []
    path.write_bytes(b"the old file")
    replace = os.replace

    def watch(source, target):
        seen.append(path.read_bytes())
        assert os.path.dirname(source) == os.path.dirname(target)  # elsewhere, replacing need not be atomic
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    write(path)
    assert seen == [b"the old file"]
    assert path.read_bytes() != b"the old file"


# ---- refusals ----


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": {"b": -float("inf")}}])
def test_nan_and_infinity_are_refused_and_nothing_is_written(tmp_path, value):
    calls = [
        lambda: store.save_json(tmp_path / "value", value),
        lambda: store.save_tensors(tmp_path / "value", TENSORS, value),
        lambda: store.fingerprint(value),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"[Oo]ut of range float values are not JSON compliant"):
            call()
    assert os.listdir(tmp_path) == []


def test_what_json_cannot_hold_is_refused_and_nothing_is_written(tmp_path):
    for value in [{1, 2}, torch.ones(2), "\ud800"]:
        with pytest.raises((TypeError, ValueError)):
            store.save_json(tmp_path / "value.json", {"value": value})
    for value in [{1: "a"}, {"a": {None: 1}}, [{True: 1}]]:  # keys that would come back as others
        for call in (lambda value: store.save_json(tmp_path / "value.json", value), store.fingerprint):
            with pytest.raises(TypeError, match="keys must be strings, got (1|None|True)"):
                call(value)
    assert os.listdir(tmp_path) == []


def test_a_missing_file_is_missing_not_damaged(tmp_path):
    for load in (store.load_json, store.load_tensors, store.sha256):
        with pytest.raises(FileNotFoundError, match=r"gone\.file"):
            load(tmp_path / "gone.file")


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1} x', b"\xff\xfe", b"[NaN]", b"-Infinity", b"[" * 100_000])
def test_a_file_that_is_no_json_is_called_damaged_by_name(tmp_path, content):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(store.DamagedFile, match=r"broken\.json"):
        store.load_json(path)


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.9, 1, "longer"])
def test_a_tensor_file_of_another_length_is_called_damaged_by_name(tmp_path, share):
    path = tmp_path / "broken.safetensors"
    store.save_tensors(path, {"weight": torch.arange(1000.0)}, {"note": "x" * 200})
    content = path.read_bytes()
    length = 0 if share == "longer" else min(int(share * len(content)), len(content) - 1)
    path.write_bytes(content + b"\0" if share == "longer" else content[:length])
    with pytest.raises(store.DamagedFile, match=r"broken\.safetensors"):
        store.load_tensors(path)


class Trap:
    """A pickle of it makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def checkpoint(value):
    torch.save({"weight": value}, content := io.BytesIO())
    return content.getvalue()


@pytest.mark.parametrize("save", [pickle.dumps, lambda value: pickle.dumps(value, protocol=0), checkpoint])
def test_a_pickle_is_refused_and_never_run(tmp_path, save):
    content = save(Trap(tmp_path / "sprung"))
    path = tmp_path / "teacher.pt"
    path.write_bytes(content)
    for load in (store.load_tensors, store.load_json):
        with pytest.raises(store.DamagedFile, match=r"teacher\.pt"):
            load(path)
    assert not (tmp_path / "sprung").exists()
    if save is not checkpoint:
        pickle.loads(content)  # the trap works
        assert (tmp_path / "sprung").exists()


# ---- names and sums ----


def reordered(value):
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(each) for each in value] if isinstance(value, list) else value


def spelled(value):
    """A text that two values share only if they are the same, key order aside; built without json."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{spelled(value[key])}" for key in sorted(value)) + "}"
    return "[" + ",".join(map(spelled, value)) + "]" if isinstance(value, list) else repr(value)


@given(json_values, json_values)
def test_a_fingerprint_names_the_value_and_not_its_key_order(one, other):
    assert store.fingerprint(reordered(one)) == store.fingerprint(one)
    assert (store.fingerprint(one) == store.fingerprint(other)) == (spelled(one) == spelled(other))


def test_fingerprints_tell_near_values_apart():
    settings = {"lr": 0.001, "seed": 1, "width": [64], "schedule": None, "note": "ä"}
    changed = [{"lr": 0.0010000000000000002}, {"seed": 2}, {"seed": "1"}, {"seed": True}, {"width": [6, 4]}]
    changed += [{"width": 64}, {"schedule": "None"}, {"schedule": False}, {"note": "a"}, {"more": None}]
    names = {store.fingerprint(settings), *(store.fingerprint({**settings, **change}) for change in changed)}
    assert len(names) == len(changed) + 1
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in names)


def test_a_fingerprint_is_the_same_in_every_process():
    # The start of the SHA-256 of {"a":[1,2.5],"b":null}.
    expected = hashlib.sha256(b'{"a":[1,2.5],"b":null}').hexdigest()[:16]
    assert store.fingerprint({"b": None, "a": [1, 2.5]}) == expected


def test_sha256_of_abc_is_the_published_one(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    published = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert store.sha256(tmp_path / "file") == published
