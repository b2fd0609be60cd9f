"""Runs the client suites against the built gateway.

    python run.py --server target/debug/gateway-server [--python-sdk] [--node-sdk FOLDER] [--weights FILE.gguf]

Each suite is a program of its own that knows the gateway by its URL and keys only. Exit code 0 when all passed.
"""

import argparse
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from gateway import Gateway
from scripted_upstream import FAULTY_MODELS, MODELS, ScriptedUpstream

HERE = Path(__file__).parent


def run_scripted(server: Path, python_sdk: bool, node_sdk: Path | None) -> bool:
    """The SDKs against two scripted upstreams, of which one is broken for one model."""
    keys = [f"sk-upstream-{secrets.token_hex(8)}" for _ in range(2)]
    upstreams = [ScriptedUpstream(key, broken=number == 0) for number, key in enumerate(keys)]
    passed = True
    suites = []
    talker = None
    if python_sdk:
        # Its package comes with the SDK's, so there is none without.
        from socket_upstream import MODEL, SocketUpstream

        keys.append(f"sk-upstream-{secrets.token_hex(8)}")
        talker = SocketUpstream(keys[-1])
        suites.append(python_suite("openai_python.py"))
    if node_sdk:
        suites.append(lambda environment: node_suite(node_sdk, environment))
    for suite in suites:
        # Each suite meets a fresh gateway: what one did to a channel's reputation is not the next one's business.
        for upstream in upstreams:
            upstream.asked.clear()
        gateway = Gateway(server, default_channel="scripted-0")
        try:
            for number, upstream in enumerate(upstreams):
                gateway.channel(f"scripted-{number}", upstream.base_url, upstream.key, MODELS)
                for model in (name for name, servers in FAULTY_MODELS.items() if number in servers):
                    gateway.channel(f"{model}-{number}", upstream.base_url, upstream.key, [model])
            if talker:
                gateway.channel("talker", talker.base_url, talker.key, [MODEL])
            user_keys = {
                "GATEWAY_KEY": gateway.user("tester"),
                "GATEWAY_OTHER_KEY": gateway.user("other", allowed_models=["chat"]),
            }
            passed &= suite({"GATEWAY_URL": gateway.url, **user_keys})
            passed &= gateway.leaves_cleanly([*keys, *user_keys.values()])
        finally:
            gateway.kill()
    for upstream in [*upstreams, *filter(None, [talker])]:
        upstream.stop()
    return passed


def run_objects(server: Path) -> bool:
    """The Python SDK against two accounts that remember; the suite starts, stops and sets up the gateway itself."""
    return python_suite("openai_objects.py")({"GATEWAY_SERVER": str(server)})


def run_llama(server: Path, weights: Path) -> bool:
    """The Python SDK against two real model servers."""
    ports = [free_port() for _ in range(2)]
    servers = [
        subprocess.Popen(
            [sys.executable, HERE / "llama_server.py", "--weights", weights, "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for port in ports
    ]
    gateway = None
    try:
        for port in ports:
            wait_until_ready(f"http://127.0.0.1:{port}/health")
        gateway = Gateway(server, default_channel="llama-0")
        for number, port in enumerate(ports):
            gateway.channel(f"llama-{number}", f"http://127.0.0.1:{port}", "", ["smollm2"])
        keys = [gateway.user(f"tester-{number}") for number in range(10)]
        environment = {
            "GATEWAY_URL": gateway.url,
            "GATEWAY_KEYS": " ".join(keys),
            "LLAMA_PIDS": " ".join(str(server.pid) for server in servers),
        }
        return python_suite("llama_models.py")(environment) and gateway.leaves_cleanly(keys)
    finally:
        if gateway:
            gateway.kill()
        for process in servers:
            process.kill()
            process.wait()


def python_suite(name: str):
    def run(environment: dict[str, str]) -> bool:
        return subprocess.run([sys.executable, HERE / name], env={**os.environ, **environment}, check=False).returncode == 0

    return run


def node_suite(folder: Path, environment: dict[str, str]) -> bool:
    """Runs Node's own test runner and turns its closing lines into ours."""
    print("\n--- openai-node ---", flush=True)
    done = subprocess.run(
        ["node", "--test", "--test-reporter=tap", "openai_node.mjs"],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    shown = re.compile(r"^(not )?ok |^# |^\s+(error|location|expected|actual|code):")
    print("\n".join(line for line in done.stdout.splitlines() if done.returncode or shown.match(line)))
    counts = dict(re.findall(r"^# (pass|fail|cancelled|skipped|todo) (\d+)$", done.stdout, re.MULTILINE))
    count = {name: int(number) for name, number in counts.items()}
    passed, failed = count.get("pass", 0), count.get("fail", 0) + count.get("cancelled", 0)
    if not passed or (done.returncode and not failed):
        failed = max(failed, 1)
    print(f"{passed} passed, {failed} failed, {count.get('skipped', 0)} skipped", flush=True)
    return failed == 0


def wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"{url} does not answer")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--server", type=Path, required=True)
    arguments.add_argument("--python-sdk", action="store_true")
    arguments.add_argument("--node-sdk", type=Path)
    arguments.add_argument("--weights", type=Path)
    chosen = arguments.parse_args()
    passed = run_scripted(chosen.server.absolute(), chosen.python_sdk, chosen.node_sdk)
    if chosen.python_sdk:
        passed &= run_objects(chosen.server.absolute())
    if chosen.weights:
        passed &= run_llama(chosen.server.absolute(), chosen.weights)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
