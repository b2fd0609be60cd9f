"""Runs OpenAI's own tests against OpenAI's own mock, directly and through the gateway, and compares.

    python run.py --server GATEWAY --mock STEADY --document OPENAPI.yml --suite FOLDER --reports FOLDER

Exit code 0 when everything that passes directly passes through the gateway too, and the mock's validator complains of
nothing more than directly.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import suite
from gateway import Gateway
from mock import Mock
from suite import Outcome

# With fewer, it is the mock or the suite that does not work, and nothing was judged.
FEWEST = 4000

# The catalogue is the gateway's own: what the suite looks up there has to be in it, which "every model" is not.
CATALOGUED = "gpt-6-astra"

# The tests by name, and the validator's complaints with how often each was heard.
Heard = tuple[dict[str, Outcome], Counter[tuple[str, ...]]]


def directly(chosen: argparse.Namespace) -> Heard:
    mock = Mock(chosen.mock, chosen.document, chosen.reports / "mock-direct.log")
    try:
        return told("direct", suite.run(chosen.suite, f"{mock.url}/v1", "unused", chosen.reports / "direct.xml"), mock)
    finally:
        mock.stop()


def through_the_gateway(chosen: argparse.Namespace) -> Heard:
    mock = Mock(chosen.mock, chosen.document, chosen.reports / "mock-gateway.log")
    # Operations that the document does not know yet shall be refused by the mock both times.
    gateway = Gateway(chosen.server, default_channel="mock", unknown_paths="pass")
    try:
        gateway.channel("mock", f"{mock.url}/v1", "", ["*", CATALOGUED], probe="off")
        key = gateway.user("suite")
        outcomes = suite.run(chosen.suite, f"{gateway.url}/v1", key, chosen.reports / "gateway.xml")
        if not gateway.leaves_cleanly([key]):
            outcomes["the gateway leaves cleanly"] = Outcome("failed", "see above")
        return told("gateway", outcomes, mock)
    finally:
        gateway.kill()
        mock.stop()


def told(way: str, outcomes: dict[str, Outcome], mock: Mock) -> Heard:
    words = Counter(outcome.word for outcome in outcomes.values())
    missing = sum("404" in outcome.message for outcome in outcomes.values() if outcome.word == "failed")
    complaints = mock.complaints()
    print(
        f"{way:8} {words['passed']} of {len(outcomes)} tests pass, {words['failed']} fail ({missing} of them with 404), "
        f"{words['skipped']} are left out by the suite itself; {complaints.total()} complaints of the validator",
        flush=True,
    )
    return outcomes, complaints


def differences(direct: Heard, gateway: Heard) -> list[str]:
    """What is worse through the gateway, one line each."""
    found = []
    absent = Outcome("failed", "did not run")
    for name, outcome in gateway[0].items() | {(name, absent) for name in direct[0].keys() - gateway[0].keys()}:
        before = direct[0].get(name, Outcome("passed"))
        if before.word == "passed" and outcome.word != "passed":
            found.append(f"{name}: passes directly, {outcome.word} through the gateway: {outcome.message[:300]}")
    for complaint, times in (gateway[1] - direct[1]).items():
        found.append(f"the validator complains {times} times more than directly: {' '.join(complaint)}")
    return sorted(found)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("server", "mock", "document", "suite", "reports"):
        arguments.add_argument(f"--{name}", type=lambda path: Path(path).absolute(), required=True)
    chosen = arguments.parse_args()
    print("\n--- conformance ---", flush=True)
    began = time.monotonic()
    direct = directly(chosen)
    gateway = through_the_gateway(chosen)
    worse = differences(direct, gateway)
    passed = sum(outcome.word == "passed" for outcome in direct[0].values())
    if passed < FEWEST:
        worse.append(f"only {passed} tests pass directly, not {FEWEST}: nothing can be concluded")
    for line in worse:
        print(f"DIFFERENT: {line}")
    for name, outcome in sorted(gateway[0].items()):
        if outcome.word == "passed" and direct[0][name].word != "passed":
            print(f"better: {name}: {direct[0][name].message[:300]}")
    both = sum(outcome.word == "passed" and gateway[0].get(name) == outcome for name, outcome in direct[0].items())
    print(f"compared in {time.monotonic() - began:.0f} s; reports and logs are in {chosen.reports}")
    print(f"{both} passed, {len(worse)} failed, 0 skipped", flush=True)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
