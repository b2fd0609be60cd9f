"""A plugin for pytest: the suite's clients show the key that `SUITE_KEY` names, in place of the suite's own, which holds
spaces: no key of a gateway's user can."""

import os
import sys


def pytest_sessionstart() -> None:
    conftest = sys.modules["tests.conftest"]
    # Who renames these lets the whole suite fail here, not go on with the wrong key.
    assert isinstance(conftest.api_key, str) and isinstance(conftest.admin_api_key, str)
    conftest.api_key = conftest.admin_api_key = os.environ["SUITE_KEY"]
