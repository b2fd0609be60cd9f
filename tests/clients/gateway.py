"""The real binary, started in a folder of its own and set up through its admin API."""

import json
import os
import signal
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

ADMIN_TOKEN = "admin-token-of-the-client-suites"

# The probes are quick, so that a channel which a test made fail is back for the next one.
CONFIGURATION = """
[server]
host = "127.0.0.1"
port = 0
[database]
path = "gateway.db"
[health_check]
interval = "1s"
timeout = "1s"
[log]
format = "json"
level = "info"
[proxy]
default_channel = "{default_channel}"
"""


class Gateway:
    def __init__(self, binary: Path, default_channel: str) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="gateway-clients-")
        self.log: list[str] = []
        config = Path(self.folder.name) / "gateway.toml"
        config.write_text(CONFIGURATION.format(default_channel=default_channel))
        self.process = subprocess.Popen(
            [binary, "--config", config],
            cwd=self.folder.name,
            env={"GATEWAY_ADMIN_TOKEN": ADMIN_TOKEN, "PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        listening = threading.Event()
        self.url = ""
        threading.Thread(target=self.read_log, args=[listening], daemon=True).start()
        if not listening.wait(30) or not self.url:
            self.stop()
            raise RuntimeError("the gateway does not listen:\n" + "".join(self.log))

    def read_log(self, listening: threading.Event) -> None:
        for line in self.process.stdout:
            self.log.append(line)
            if not self.url and "listening" in line:
                self.url = address(line)
                listening.set()
        listening.set()

    def admin(self, method: str, path: str, body: object = None) -> object:
        """Calls the admin API; an answer that is no success is an error with the gateway's own words."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {ADMIN_TOKEN}", "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def channel(self, name: str, base_url: str, key: str, models: list[str]) -> None:
        new = {"name": name, "base_url": base_url, "api_key": key, "weight": 10, "models": models}
        self.admin("POST", "/api/channels", new)

    def user(self, name: str, **more: object) -> str:
        """Makes a user and returns its key."""
        return self.admin("POST", "/api/users", {"name": name, **more})["api_key"]

    def stop(self) -> int:
        """Asks it to stop, as an operator would, and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.folder.cleanup()


def address(line: str) -> str:
    """The public address in the log line that tells it."""
    said = json.loads(line)
    return "http://" + {**said, **said.get("fields", {})}["public"]
