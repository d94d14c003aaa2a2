"""What the measuring scripts share: builds, runs of the load generator, medians, the state of the machine."""

import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "python"))
sys.dont_write_bytecode = True

TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# Above this load average something else is running, and numbers say little.
QUIET_LOAD = 0.5


def _cargo(*arguments):
    subprocess.run(["cargo", "build", "--release", "--quiet", *arguments], cwd=ROOT, check=True)


def loadgen():
    """The load generator, built where needed."""
    target = TARGET / "loadgen"
    _cargo("--manifest-path", str(HERE / "loadgen" / "Cargo.toml"), "--target-dir", str(target))
    return target / "release" / "loadgen"


def release_binary(given):
    """`given`, else our server built for release."""
    if given is None:
        _cargo("--bin", "zaqar")
        given = TARGET / "release" / "zaqar"
    return given.resolve()


def run(program, server, mode, **options):
    """One run of the load generator: its report as a dictionary. Errors end the measuring."""
    flags = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    pids = ",".join(map(str, server.pids))
    command = [program, mode, "--json", "--addr", server.address, "--pids", pids, *flags]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    report = json.loads(done.stdout)
    if report["errors"]:
        raise RuntimeError(f"{mode}: {report['errors']} errors, the first: {report['first_error']}")
    return report


def medians(reports):
    """The median of every number over several reports."""
    numbers = [name for name, value in reports[0].items() if isinstance(value, int | float)]
    return {name: statistics.median(report[name] for report in reports) for name in numbers}


def rss_mib(pids):
    """Resident memory of the processes together."""
    kib = 0
    for pid in pids:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
        kib += next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return kib / 1024


def machine():
    """The machine and how busy it is, in one line."""
    cpus = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in cpus if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}, load average {os.getloadavg()[0]:.2f}"


def warn_if_busy():
    """Says so when something else is running."""
    if os.getloadavg()[0] > QUIET_LOAD:
        print(f"the load average is above {QUIET_LOAD}: these numbers only show that the tool works", file=sys.stderr)


def verdicts(bars):
    """Prints [(text, holds)]; gives the exit code."""
    for text, holds in bars:
        print(f"{'holds ' if holds else 'MISSED'}  {text}")
    return 0 if all(holds for _, holds in bars) else 1
