"""The tests of OpenAI's Python SDK, run against one base URL."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

# Administration is refused by the gateway unless it is configured, and has keys of its own.
CHOSEN = ["tests/api_resources", "--ignore", "tests/api_resources/admin"]


class Outcome(NamedTuple):
    """How a test ended (`passed`, `failed` or `skipped`), and what it complained of."""

    word: str
    message: str = ""


def run(suite: Path, base_url: str, key: str, report: Path) -> dict[str, Outcome]:
    """Runs the tests and returns how each of them ended, by name."""
    report.unlink(missing_ok=True)
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    with report.with_suffix(".log").open("wb") as output:
        # A line for each failure: to draw the way to more than a thousand of them takes five times as long as the tests.
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "suite_key", *CHOSEN, "--quiet", "--tb=line", f"--junitxml={report}"],
            cwd=suite,
            env={**os.environ, "PYTHONPATH": path, "TEST_API_BASE_URL": base_url, "SUITE_KEY": key},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    # 1: some tests failed. Everything above: pytest itself did.
    if done.returncode not in (0, 1):
        raise RuntimeError(f"pytest ended with {done.returncode}:\n{report.with_suffix('.log').read_text()[-4000:]}")
    cases = ElementTree.parse(report).iter("testcase")
    return {f"{case.get('classname')}::{case.get('name')}": outcome(case) for case in cases}


def outcome(case: ElementTree.Element) -> Outcome:
    for tag, word in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        told = case.find(tag)
        if told is not None:
            return Outcome(word, told.get("message", ""))
    return Outcome("passed")
