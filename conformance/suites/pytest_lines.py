"""A plugin for pytest: one line a test on file descriptor 3, as every suite's script prints it."""

import os

OUT = os.fdopen(3, "w", buffering=1)
SAID = set()


def why(report):
    """The last line of what was raised, in one line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else str(report.longrepr)
    return " ".join(text.split())[:240]


def pytest_runtest_logreport(report):
    name = report.nodeid.replace(" ", "_")
    if name in SAID:
        return
    if report.failed:
        OUT.write(f"not ok {name}: {report.when}: {why(report)}\n")
    elif report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "expected to fail"
        OUT.write(f"skip {name}: {' '.join(str(reason).split())}\n")
    elif report.when == "call":
        OUT.write(f"ok {name}\n")
    else:
        return
    SAID.add(name)


def pytest_collectreport(report):
    if report.failed:
        OUT.write(f"not ok {report.nodeid}: cannot be collected: {why(report)}\n")
