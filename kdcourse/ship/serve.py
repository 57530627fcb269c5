"""Answer from an exported model over HTTP. Needs `pip install onnxruntime` and this file; no torch, no kdcourse.

    python serve.py student.onnx --port 8000
    curl -d '{"inputs": [[0.1, 0.2]]}' http://127.0.0.1:8000/

The answer is {"classes": [..], "probabilities": [[..]]}, a row for each row of the inputs; a GET says what is served.
It listens on this machine alone. To the world it belongs behind a server that limits and encrypts.
"""

import argparse
import contextlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

LARGEST = 64 * 2**20  # bytes of a request
NUMPY = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
UNREADABLE = (ValueError, TypeError, KeyError, OverflowError, RecursionError)  # also too large, and nested too deep


def load(path: str, threads: int = 1) -> Any:
    """The session that all requests share; it may be used from several threads at once."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def answer(session: Any, request: bytes) -> dict:
    """{"classes": [N], "probabilities": [N, C]} for a request {"inputs": [N, ...]}. ValueError for any other."""
    given = session.get_inputs()[0]
    whole = given.type.startswith("tensor(int")
    try:
        inputs = np.array(json.loads(request)["inputs"], dtype=object)
        if not {*map(type, inputs.flat)} <= ({int} if whole else {int, float}):  # True is no number, and "1" is none
            raise TypeError
        inputs = inputs.astype(NUMPY[given.type])
    except UNREADABLE as error:
        numbers = "whole numbers" if whole else "numbers"
        raise ValueError(f'send JSON {{"inputs": [[...], ...]}}, {numbers} alone, all rows of one length') from error
    wanted = [size if isinstance(size, int) else "N" for size in given.shape]
    if (
        inputs.ndim != len(wanted)
        or 0 in inputs.shape
        or not all(size in (own, "N") for size, own in zip(wanted, inputs.shape, strict=True))
    ):
        raise ValueError(f"inputs must be {wanted}, got {list(inputs.shape)}")
    if not np.isfinite(inputs).all():
        raise ValueError("inputs must be finite")
    try:
        logits = session.run(None, {given.name: inputs})[0]
    except Exception as error:  # an id that is not in the vocabulary
        raise ValueError("inputs must be ones that the model takes") from error
    weights = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = weights / weights.sum(1, keepdims=True)
    return {"classes": logits.argmax(1).tolist(), "probabilities": probabilities.tolist()}


class Server(ThreadingHTTPServer):
    """A thread for each connection, and one session for all."""

    session: Any


class Handler(BaseHTTPRequestHandler):
    """One request; the session is the server's."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        given = self.server.session.get_inputs()[0]
        self.reply(200, {"inputs": given.shape, "type": given.type})

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= LARGEST:
            self.close_connection = True
            return self.reply(400, {"error": f"a request must have from 1 to {LARGEST} bytes, got {length}"})
        try:
            return self.reply(200, answer(self.server.session, self.rfile.read(length)))
        except ValueError as error:
            return self.reply(400, {"error": str(error)})

    def reply(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Requests are not logged: they may be private."""


def main(arguments: list[str] | None = None) -> None:
    """Serve until interrupted. With port 0 the system picks one; the line that is printed says which."""
    parser = argparse.ArgumentParser(description="Answer from an ONNX file over HTTP, on this machine alone.")
    parser.add_argument("model")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--threads", type=int, default=1, help="inside each operation")
    chosen = parser.parse_args(arguments)
    with Server(("127.0.0.1", chosen.port), Handler) as server:
        server.session = load(chosen.model, chosen.threads)
        print(f"http://127.0.0.1:{server.server_port}/", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
