"""A JupyterHub on loopback, its learners, and what their processes take. benchmarks/classroom.py measures with it."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import site
import socket
import subprocess
import sys
import time
import uuid
import venv
from pathlib import Path

import psutil
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "classroom"


def install():
    """(jupyterhub, proxy): the two programs, installed where they are missing."""
    hub, proxy = WORK / "bin" / "jupyterhub", WORK / "node_modules" / ".bin" / "configurable-http-proxy"
    if not hub.exists():
        venv.create(WORK, with_pip=True)
        (library,) = WORK.glob("lib/python*/site-packages")
        # The course's environment is seen from this one, and stays as it is.
        lines = [f"import site; site.addsitedir({folder!r})" for folder in site.getsitepackages()]
        (library / "course.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
        subprocess.run([WORK / "bin" / "python", "-m", "pip", "install", "--quiet", "jupyterhub>=5"], check=True)
    if not proxy.exists():
        if not shutil.which("npm"):
            raise SystemExit("npm is missing: install Node.js, for configurable-http-proxy")
        command = ["npm", "install", "--silent", "--prefix", WORK, "configurable-http-proxy@>=4"]
        subprocess.run(command, check=True)
    return hub, proxy


def free_addresses(count):
    """Addresses on loopback that nobody uses."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return [f"http://127.0.0.1:{port}" for port in ports]


class Hub:
    """A hub that runs inside an `async with`, and asks on behalf of all learners."""

    def __init__(self, environment):
        self.environment = {"KDCOURSE_HOME": "~/kdcourse", **environment}

    async def __aenter__(self):
        hub, proxy = install()
        self.address, behind, proxy_api = free_addresses(3)
        self.token = secrets.token_hex(16)
        homes = WORK / "homes"
        shutil.rmtree(homes, ignore_errors=True)
        homes.mkdir(parents=True)
        plan = {"address": self.address, "behind": behind, "proxy_api": proxy_api, "proxy": str(proxy)}
        plan |= {"token": self.token, "homes": str(homes), "course": str(ROOT), "environment": self.environment}
        jupyter = {
            "JUPYTER_PATH": f"{sys.prefix}/share/jupyter",
            "JUPYTER_CONFIG_PATH": f"{sys.prefix}/etc/jupyter",
            "JUPYTERLAB_DIR": f"{sys.prefix}/share/jupyter/lab",
            "PYTHONPATH": str(ROOT),
            "CLASSROOM": json.dumps(plan),
        }
        variables = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"} | jupyter
        variables["PATH"] = f"{hub.parent}:{os.environ['PATH']}"
        self.log = open(WORK / "hub.log", "ab")  # noqa: SIM115 - closed with the hub
        command = [hub, "-f", ROOT / "benchmarks" / "jupyterhub_config.py"]
        self.process = psutil.Popen(command, env=variables, stdout=self.log, stderr=self.log, cwd=WORK)
        AsyncHTTPClient.configure(None, max_clients=200)
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(Exception):  # it does not listen yet
                await self.ask("GET", "hub/api/")
                return self
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the hub did not start; {WORK / 'hub.log'} says why")
            await asyncio.sleep(0.5)

    async def __aexit__(self, *_):
        begun = self.process.children(recursive=True)
        self.process.terminate()
        self.process.wait()
        for one in begun:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.terminate()
        self.log.close()

    async def ask(self, method, path, body=None):
        """(status, answer) of a request to the hub or, through its proxy, to a learner's server."""
        answer = await AsyncHTTPClient().fetch(self.request(path, method, body))
        return answer.code, json.loads(answer.body) if answer.body[:1] in (b"{", b"[") else None

    def request(self, path, method="GET", body=None):
        body = json.dumps(body) if body is not None else "" if method == "POST" else None
        headers = {"Authorization": f"token {self.token}"}
        return HTTPRequest(f"{self.address}/{path}", method, headers, body, request_timeout=900, connect_timeout=900)

    def tree(self):
        """{"hub": ..., "server": ..., "kernel": ...}: all its processes."""
        found = {"hub": [self.process], "server": [], "kernel": []}
        for process in self.process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                words = " ".join(process.cmdline())
                kind = "kernel" if "ipykernel" in words else "server" if "singleuser" in words else "hub"
                found[kind].append(process)
        return found


class Learner:
    """A user of the hub, with a server and a kernel."""

    def __init__(self, hub, name):
        self.hub, self.name = hub, name

    async def arrive(self):
        """Start a server, fetch the page of JupyterLab, start a kernel where the lessons lie, and connect to it."""
        await self.hub.ask("POST", f"hub/api/users/{self.name}")
        await self.hub.ask("POST", f"hub/api/users/{self.name}/server")
        while True:
            _, user = await self.hub.ask("GET", f"hub/api/users/{self.name}")
            if "" not in user["servers"]:
                raise RuntimeError(f"{self.name}: the server did not start; {WORK / 'hub.log'} says why")
            if user["servers"][""]["ready"]:
                break
            await asyncio.sleep(0.5)
        server = f"user/{self.name}"
        await self.hub.ask("GET", f"{server}/lab")
        _, kernel = await self.hub.ask("POST", f"{server}/api/kernels", {"name": "python3", "path": "notebooks"})
        request = self.hub.request(f"{server}/api/kernels/{kernel['id']}/channels")
        request.url = request.url.replace("http", "ws", 1)
        self.socket = await websocket_connect(request, max_message_size=2**28)

    async def execute(self, code):
        """Seconds until the kernel has run `code`; `printed` is what it printed. RuntimeError for an error in it."""
        number, start = uuid.uuid4().hex, time.perf_counter()
        header = {"msg_id": number, "session": self.name, "username": self.name, "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        message = {"header": header | {"msg_type": "execute_request"}, "parent_header": {}, "metadata": {}}
        await self.socket.write_message(json.dumps(message | {"content": content, "channel": "shell"}))
        waiting, self.printed = {"execute_reply", "idle"}, ""
        while waiting:
            received = await self.socket.read_message()
            if received is None:
                raise RuntimeError(f"{self.name}: the connection was closed, or the kernel died")
            if isinstance(received, bytes):  # a widget's state: buffers behind the message
                continue
            answer = json.loads(received)
            if answer["parent_header"].get("msg_id") != number:
                continue
            kind, content = answer["header"]["msg_type"], answer["content"]
            if kind == "error":
                raise RuntimeError(f"{self.name}: {content['ename']}: {content['evalue']}")
            self.printed += content["text"] if kind == "stream" else ""
            waiting -= {kind, content.get("execution_state")}
        return time.perf_counter() - start

    async def work(self, cells, think):
        """Seconds that each cell takes; `think()` seconds pass before it."""
        seconds = []
        for cell in cells:
            await asyncio.sleep(think())
            seconds.append(await self.execute(cell))
        return seconds


def memory_of(process):
    """Bytes: {"pss": ..., "rss": ...}. A page that k processes share counts 1/k in each one's PSS, and 1 in its RSS."""
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}
    return {"pss": 1024 * kilobytes["Pss"], "rss": 1024 * kilobytes["Rss"]}


def memory(hub, measure="pss"):
    """{kind: bytes of each of its processes}."""
    found = {}
    for kind, processes in hub.tree().items():
        found[kind] = []
        for process in processes:
            with contextlib.suppress(OSError):  # it has just ended
                found[kind].append(memory_of(process)[measure])
    return found


def cpu_seconds(hub):
    processes = [one for some in hub.tree().values() for one in some]
    return sum(sum(one.cpu_times()[:2]) for one in processes if one.is_running())


def busy_seconds():
    """Of all cores, since the machine started."""
    spent = psutil.cpu_times()
    return sum(spent) - spent.idle - getattr(spent, "iowait", 0) - spent.guest - spent.guest_nice
