"""Builds the image without a container engine: runs the steps of the Dockerfile in scratch roots, and then the result.

Run it with ``./run image``, as root on Linux. This machine's ``/usr`` and its Python take the place of the base image.
The result runs as in a container: as user 10001 without capabilities, on a read-only root with an empty ``/tmp``.

Everything is in one file system in memory, in a mount namespace of its own. It vanishes with the process, so nothing is
ever deleted, in particular nothing through a mount. No directory of this machine is mounted writable.
"""

import contextlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dispatcher.local.ports import free_port
from dispatcher.local.redis_server import EmbeddedServer
from tests.deploy.dockerfile import ROOT, Instruction, Stage, context_files, stages

#: seconds that the processes may take until they are ready
_READY_S = 60.0
_UNPRIVILEGED = ("setpriv", "--reuid=10001", "--regid=10001", "--clear-groups", "--bounding-set=-all", "--no-new-privs")


class ScratchRoot:
    """A root directory with the programs of this machine, in which nothing else is left of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("usr", "proc", "dev", "tmp", "opt", "etc", "root", "run", "var/tmp"):
            (folder / name).mkdir(parents=True)
        (folder / "tmp").chmod(0o1777)
        for name in ("bin", "sbin", "lib", "lib64"):
            (folder / name).symlink_to(f"usr/{name}")
        for name in ("ssl", "passwd", "group", "shadow", "gshadow", "login.defs", "resolv.conf", "hosts", "pip.conf"):
            _copy(Path("/etc") / name, folder / "etc" / name)
        _mount("-o", "bind,ro", "/usr", folder / "usr")
        assert not os.access(folder / "usr", os.W_OK), "this machine's /usr must not be writable here"
        _mount("-t", "tmpfs", "tmpfs", folder / "usr/local")
        (folder / "usr/local/bin").mkdir()
        (folder / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        for name, minor in (("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)):
            os.mknod(folder / "dev" / name, stat.S_IFCHR, os.makedev(1, minor))
            (folder / "dev" / name).chmod(0o666)
        _mount("-t", "proc", "proc", folder / "proc")

    def freeze(self) -> None:
        """Make the root read-only, except ``/tmp``, which becomes empty."""
        _mount("--rbind", self.folder, self.folder)
        _mount("-o", "remount,ro,bind", self.folder)
        _mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", self.folder / "tmp")

    def command(self, words: Sequence[str], *, workdir: str, user: Sequence[str] = ()) -> list[str]:
        """Return the command that runs ``words`` in this root."""
        inside = ["env", f"--chdir={workdir}", *user, *words]
        return ["chroot", str(self.folder), *inside]


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=False, ignore_dangling_symlinks=True)
    elif source.exists():
        shutil.copy(source, target)


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def build(stage: Stage, root: ScratchRoot, earlier: Mapping[str, ScratchRoot]) -> dict[str, str]:
    """Run the steps of a stage in a root, and return the environment at its end."""
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    workdir = "/"
    for step in stage.steps:
        print(f"{stage.name or 'final'}: {step.name} {step.arguments[:100]}", flush=True)
        match step.name:
            case "ENV":
                for name, value in ((word.split("=", 1)) for word in step.words):
                    environment[name] = re.sub(r"\$(\w+)", lambda match: environment[match[1]], value)
            case "WORKDIR":
                workdir = step.arguments
                (root.folder / workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "COPY":
                _copy_step(step, root, workdir, earlier)
            case "RUN":
                command = root.command(["sh", "-c", step.arguments], workdir=workdir)
                subprocess.run(command, env=environment, check=True)
    return environment


def _copy_step(step: Instruction, root: ScratchRoot, workdir: str, earlier: Mapping[str, ScratchRoot]) -> None:
    *sources, target = step.words
    if sources[0].startswith("--from="):
        origin = earlier[sources[0].removeprefix("--from=")].folder
        shutil.copytree(origin / sources[1].lstrip("/"), root.folder / target.lstrip("/"), symlinks=True)
        return
    base = root.folder / workdir.lstrip("/") / target
    for source in sources:
        for file in context_files(source):
            # a folder's content is copied, a file keeps its name
            name = file.relative_to(source) if (ROOT / source).is_dir() else Path(file.name)
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, base / name)


def main() -> None:
    """Build the image in scratch roots, and let a fax pass through what came out."""
    if len(sys.argv) > 1:
        build_and_check(Path(sys.argv[1]))
        return
    folder = Path(tempfile.mkdtemp(prefix="bulkfax-image-"))
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "tests.deploy.scratch_build"]
    try:
        sys.exit(subprocess.run([*command, str(folder)], check=False).returncode)
    finally:
        folder.rmdir()


def build_and_check(folder: Path) -> None:
    """Do it in a new file system on ``folder``, which only this process and its children see."""
    _mount("-t", "tmpfs", "tmpfs", folder)
    started_s = time.monotonic()
    roots: dict[str, ScratchRoot] = {}
    for stage in stages():
        roots[stage.name] = ScratchRoot(folder / (stage.name or "final"))
        environment = build(stage, roots[stage.name], roots)
    image = roots[""]
    size_mb = sum(file.lstat().st_size for file in (image.folder / "opt").rglob("*")) // 1_000_000
    print(f"built in {time.monotonic() - started_s:.0f} s; /opt has {size_mb} MB", flush=True)
    image.freeze()
    check(image, stages()[-1], environment, folder)


def check(image: ScratchRoot, stage: Stage, environment: Mapping[str, str], folder: Path) -> None:
    """Run all processes from the image as a container would, and the test of the chart."""
    environment = {**environment, **_settings(), "HOME": "/tmp"}
    workdir = stage.all("WORKDIR")[0].arguments

    def command(*words: str) -> list[str]:
        return image.command(words, workdir=workdir, user=_UNPRIVILEGED)

    def run(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(command(*words), env=environment | variables, text=True, capture_output=True, check=False)

    assert "Read-only file system" in run("touch", "/opt/bulkfax/x").stderr
    identity = run("id", "-u")
    assert identity.stdout.strip() == "10001", identity.stderr
    with EmbeddedServer(folder / "redis") as redis, contextlib.ExitStack() as stack:
        redis.start()
        environment["BULKFAX_REDIS_URL"] = redis.url
        emulator_port = environment["BULKFAX_SINCH__BASE_URL"].rpartition(":")[2]
        emulator = ("bulkfax", "emulator", f"--port={emulator_port}", "--project-id=p", "--key-id=k")
        for name, words in {
            "emulator": emulator,
            **{name: ("bulkfax", name) for name in ("web", "scheduler", "worker")},
        }.items():
            variables = {**environment, "BULKFAX_ALIVE_DIR": f"/tmp/alive-{name}", "EMULATOR_KEY_SECRET": "s"}
            stack.enter_context(_running(command(*words), variables))
        _wait(environment["BULKFAX_API_URL"])
        test = (ROOT / "helm/bulkfax/files/release_test.py").read_text(encoding="utf-8")
        result = run("python", "-c", test, SEND_A_FAX="yes")
        print(result.stdout, result.stderr, flush=True)
        assert result.returncode == 0, "the test of the chart failed"
        health = stage.all("HEALTHCHECK")[0].arguments.partition("CMD ")[2]
        for name in ("web", "scheduler", "worker"):
            probe = run(*Instruction("CMD", health).words, BULKFAX_ALIVE_DIR=f"/tmp/alive-{name}")
            assert probe.returncode == 0, f"{name}: {probe.stderr}"
    materials = (image.folder / "opt/bulkfax/bill-of-materials.json").read_text(encoding="utf-8")
    packages = materials.count('"purl"')
    print(f"the bill of materials names {packages} packages")


def _settings() -> dict[str, str]:
    provider, web = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    return {
        "BULKFAX_SINCH__PROJECT_ID": "p",
        "BULKFAX_SINCH__KEY_ID": "k",
        "BULKFAX_SINCH__KEY_SECRET": "s",
        "BULKFAX_SINCH__BASE_URL": provider,
        "BULKFAX_SINCH__AUTH_URL": f"{provider}/oauth2/token",
        "BULKFAX_API_KEYS": "key-of-a-test",
        "BULKFAX_API_URL": web,
        "BULKFAX_PUBLIC_URL": web,
        "BULKFAX_PORT": web.rpartition(":")[2],
    }


@contextlib.contextmanager
def _running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, env=dict(environment))
    try:
        yield
    finally:
        process.terminate()
        process.wait(_READY_S)


def _wait(url: str) -> None:
    end_s = time.monotonic() + _READY_S
    while time.monotonic() < end_s:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/readyz", timeout=5):
            return
        time.sleep(0.2)
    raise SystemExit("web did not become ready")


if __name__ == "__main__":
    main()
