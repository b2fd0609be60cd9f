"""OpenAI's mock: answers every operation of an OpenAPI document, and judges what it was asked by that document."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

# As the SDK's own test script has it: how the SDK writes lists and objects into queries and forms.
VALIDATOR = [
    f"--validator-{place}-{what}-format=brackets" for place in ("query", "form") for what in ("array", "object")
]


class Mock:
    def __init__(self, program: Path, document: Path, log: Path) -> None:
        self.log = log
        self.url = f"http://127.0.0.1:{free_port()}"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [program, "--host", "127.0.0.1", "-p", self.url.rpartition(":")[2], "--log-format=json", *VALIDATOR, document],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self.wait_until_ready()
        except RuntimeError:
            self.stop()
            raise

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/_x-steady/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise RuntimeError(f"the mock does not answer; it said:\n{self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def complaints(self) -> Counter[tuple[str, ...]]:
        """What the validator did not like and how often: method, path, code, place in the request, words. Stops the mock:
        before that its log is not whole."""
        self.stop()
        found: Counter[tuple[str, ...]] = Counter()
        for line in self.log.read_text().splitlines():
            said = json.loads(line) if line.startswith("{") else {}
            if said.get("type") != "request":
                continue
            asked = said["request"]
            for complaint in said["diagnostics"]:
                path = asked.get("pathPattern") or asked["path"]
                place = complaint.get("requestPath", "")
                found[asked["method"], path, complaint["code"], place, complaint["message"]] += 1
        return found


def free_port() -> int:
    """The mock does not tell which port the system gave it, so it has to be given one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
