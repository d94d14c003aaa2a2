"""Virtual environments of the test tools, made once for each requirements file and then kept."""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def cache_folder():
    """Where environments are kept: $ZAQAR_TEST_CACHE, else `test-cache` in the target folder."""
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    return pathlib.Path(os.environ.get("ZAQAR_TEST_CACHE", pathlib.Path(target) / "test-cache"))


@contextlib.contextmanager
def _locked(folder):
    """Keeps other processes from the folder for the time of the block."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(f"{folder.name}.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def environment(requirements, folder=None):
    """The folder of a virtual environment with exactly what the file `requirements` pins.

    Its name holds a digest of the file and of the Python version, so that a changed pin makes a new one. A
    half-made environment is made again: the mark that it is complete is written last. Of several processes that want
    it one makes it.
    """
    requirements = pathlib.Path(requirements)
    if folder is None:
        text = requirements.read_bytes() + sys.version.encode()
        folder = cache_folder() / f"{requirements.stem}-{hashlib.sha256(text).hexdigest()[:12]}"
    folder = pathlib.Path(folder).absolute()
    with _locked(folder):
        if not (folder / "complete").exists():
            _install(requirements, folder)
    return folder


def source(name, requirements, part):
    """The folder `part` of the source distribution of a package, in the version that the file `requirements` pins.

    For tests that a package leaves out of what it installs.
    """
    pin = next(line for line in pathlib.Path(requirements).read_text().splitlines() if line.startswith(f"{name}=="))
    folder = cache_folder().absolute() / f"{pin.replace('==', '-')}-source"
    with _locked(folder):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            pip = [environment(requirements) / "bin" / "python", "-m", "pip", "download", "--quiet"]
            pip += ["--disable-pip-version-check", "--no-deps", "--no-binary", ":all:", "--dest", folder, pin]
            subprocess.run(pip, check=True, stdout=sys.stderr)
            (archive,) = folder.glob("*.tar.gz")
            with tarfile.open(archive) as unpacked:
                unpacked.extractall(folder, filter="data")
            (folder / "complete").touch()
    (found,) = folder.glob(f"*/{part}")
    return found


def node_packages(pins):
    """The folder of the packages for Node that package-lock.json in the folder `pins` pins. No script of theirs runs."""
    pins = pathlib.Path(pins)
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("npm is not installed (Debian: apt-get install nodejs npm)")
    digest = hashlib.sha256((pins / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = cache_folder().absolute() / f"node-{pins.name}-{digest}"
    with _locked(folder):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(pins, folder)
            install = [npm, "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(install, cwd=folder, check=True, stdout=sys.stderr)
            (folder / "complete").touch()
    return folder / "node_modules"


def _install(requirements, folder):
    print(f"installing {requirements.name} into {folder} ...", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", requirements], check=True, stdout=sys.stderr)
    (folder / "complete").touch()
