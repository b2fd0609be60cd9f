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
"""


class Gateway:
    """`proxy` are settings of that section, as words."""

    def __init__(self, binary: Path, **proxy: str) -> None:
        self.binary = binary
        self.folder = tempfile.TemporaryDirectory(prefix="gateway-clients-")
        self.log: list[str] = []
        self.write_settings(proxy)
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self.binary, "--config", self.config],
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
            self.kill()
            raise RuntimeError("the gateway does not listen:\n" + "".join(self.log))

    def restart(self) -> None:
        """Stops it as an operator would, and starts it again with the same database, on another port."""
        code = self.stop()
        if code:
            raise RuntimeError(f"the gateway ended with {code}:\n" + "".join(self.log))
        self.start()

    @property
    def config(self) -> Path:
        return Path(self.folder.name) / "gateway.toml"

    def write_settings(self, proxy: dict[str, str]) -> None:
        self.config.write_text(CONFIGURATION + "".join(f'{key} = "{value}"\n' for key, value in proxy.items()))

    def set(self, **proxy: str) -> None:
        """Changes settings while it runs."""
        self.write_settings(proxy)
        self.admin("POST", "/api/config/reload")

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

    def channel(self, name: str, base_url: str, key: str, models: list[str], **more: object) -> None:
        new = {"name": name, "base_url": base_url, "api_key": key, "weight": 10, "models": models, **more}
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

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def leaves_cleanly(self, secrets_used: list[str]) -> bool:
        """Stops it; it has to leave with 0, without a panic, and must not have logged any key."""
        code = self.stop()
        log = "".join(self.log)
        faults = [f"it ended with {code}"] if code else []
        faults += ["it panicked"] if "panicked" in log else []
        faults += ["it logged a key"] if any(key in log for key in secrets_used) else []
        for fault in faults:
            print(f"the gateway: {fault}\n{log}", flush=True)
        return not faults


def address(line: str) -> str:
    """The public address in the log line that tells it."""
    said = json.loads(line)
    return "http://" + {**said, **said.get("fields", {})}["public"]
