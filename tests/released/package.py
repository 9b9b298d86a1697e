"""Which wslink this interpreter holds, and what follows from that for the suite."""

import re
from importlib import metadata

import pytest

VERSION = metadata.version("wslink")

#: The packages of the released project have three plain numbers; ours has more behind them (2.6.0.post1).
RELEASED = re.fullmatch(r"\d+\.\d+\.\d+", VERSION) is not None

#: The wire generations that the servers of this package speak.
GENERATIONS = ("first", "second") if not RELEASED else ("first",) if VERSION.startswith("1.") else ("second",)

since_2 = pytest.mark.skipif(VERSION.startswith("1."), reason="this API came with the 2.x packages")
first_generation = pytest.mark.skipif(
    "first" not in GENERATIONS, reason="this package does not speak the first generation"
)
second_generation = pytest.mark.skipif(
    "second" not in GENERATIONS, reason="this package does not speak the second generation"
)


def defect(number, *, released=("1.12.4", "2.6.0")):
    """Mark a test of a defect of the released packages (tests/released/README.md lists them).

    It has to fail on the releases named in `released` (an unexpected pass is an error), and to pass everywhere else.
    Run pytest with --runxfail to see the failures themselves.
    """

    def mark(test):
        test = pytest.mark.defect(number)(test)
        known = pytest.mark.xfail(VERSION in released, reason=f"defect {number} of released {VERSION}", strict=True)
        return known(test)

    return mark
