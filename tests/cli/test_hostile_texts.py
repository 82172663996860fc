"""Attacks on the terminal of an operator: whatever others write, it is shown and not obeyed."""

import ast
import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unicodedata import category

import pytest
import structlog

from dispatcher.cli import output, tables
from dispatcher.cli.demo_result import DemoResult
from dispatcher.cli.output import Printer
from dispatcher.cli.progress import counting
from dispatcher.cli.watch import progress_line
from dispatcher.client import Batch
from dispatcher.core.visible import visible
from dispatcher.local.ledger import Comparison
from dispatcher.logs import configure_logs
from dispatcher.settings import Settings
from tests.cli.conftest import Bulkfax
from tests.cli.hostile import ATTACK, SHOWN, every_text, hostile_server

_TURNING = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}


def obeyed(text: str) -> set[str]:
    """Return the characters of a text that a terminal would obey."""
    return {c for c in text if (category(c) in {"Cc", "Cs"} and c != "\n") or c in _TURNING}


@pytest.mark.parametrize("number", [*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), 0x2066, 0x2069, 0xD800])
def test_a_character_that_terminals_obey_is_written_out(number: int) -> None:
    expected = "\n" if number == 0x0A else f"a\\u{number:04x}b"
    assert visible(f"a{chr(number)}b") == (f"a{expected}b" if number == 0x0A else expected)


@pytest.mark.parametrize("text", ["Zahnärztin Łódź 東京 👩‍⚕️ – “x”", r"C:\u001b", "", "two\nlines"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_no_character_of_unicode_is_forgotten() -> None:
    assert not obeyed(visible("".join(map(chr, range(sys.maxunicode + 1)))))


COMMANDS = [
    ("batches", "list"),
    ("batches", "show", "b"),
    ("batches", "watch", "b"),
    *(("batches", verb, "b") for verb in ("start", "pause", "resume")),
    ("batches", "rerun", "b", "--reason", ATTACK),
    ("batches", "rerun", "b", "--preview"),
    ("batches", "cancel", "b", "--yes"),
    ("batches", "cancel", "b", "--yes", "--category", "busy", "--reason", ATTACK),
    ("batches", "continue", "b", "--yes"),
    ("jobs", "cancel", "b.1", "--yes", "--reason", "r"),
    ("batches", "forecast", "b"),
    ("jobs", "list", "b", "--limit", "1"),
    ("jobs", "show", "b.1"),
    ("account",),
    ("account", "rate", "5/s"),
    ("account", "unblock"),
    ("account", "resume"),
    ("batches", "why", "b1"),
    ("holds", "list"),
    ("holds", "release", ATTACK),
    ("holds", "release", "--batch", ATTACK),
    ("send", "letter.pdf", "list.csv", "--watch"),
    ("send", "letter.pdf", "list.csv", "--draft", "--name", ATTACK),
]
PROVIDER_COMMANDS = [
    ("provider", "faxes", "list"),
    ("provider", "faxes", "show", "id"),
    ("provider", "faxes", "delete-content", ATTACK, "--yes"),
    ("provider", "services", "list"),
    ("provider", "services", "show", ATTACK),
    ("provider", "numbers", "list"),
    ("provider", "numbers", "emails", ATTACK),
    ("provider", "emails", "list"),
    ("provider", "emails", "show", ATTACK),
    ("provider", "cover-pages", "list"),
    ("provider", "cover-pages", "show", ATTACK),
    ("provider", "check"),
]
#: these print nothing that the server answered but an id, which is a plain one
_WITHOUT_TEXTS = {("batches", "start"), ("batches", "pause"), ("batches", "resume"), ("batches", "cancel")}
_WITHOUT_TEXTS |= {("batches", "continue"), ("jobs", "cancel")}
FAILURES = [
    ("policy", "explain", "x", ATTACK),
    *(("batches", verb, ATTACK) for verb in ("show", "watch", "start", "report")),
    ("batches", "rerun", ATTACK, "--reason", "r"),
    ("jobs", "show", ATTACK),
    ("jobs", "cancel", ATTACK, "--reason", "r", "--yes"),
    ("jobs", "list", ATTACK),
    ("nonsense" + ATTACK,),
    ("batches", "list", "--limit", ATTACK),
    ("batches", "rerun", "b", "--state", ATTACK),
    ("batches", "cancel", ATTACK),
    ("send", ATTACK.replace("\0", "") + ".pdf", "list.csv"),
    ("send", "letter.pdf", ATTACK.replace("\0", "")),
    ("jobs", "show", ATTACK, "--raw"),
    ("account", "rate", ATTACK),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with hostile_server() as url:
        yield url


@pytest.fixture(scope="module")
def failing_url() -> Iterator[str]:
    with hostile_server(status=422) as url:
        yield url


@pytest.fixture
def attacked(bulkfax: Bulkfax, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bulkfax:
    """The command in a folder with a letter and a list, with consoles so wide that nothing is folded."""
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "list.csv").write_text("fax\n+12025550101\n")
    for console in (output.results, output.notes):
        monkeypatch.setattr(console, "width", 3000)
    return bulkfax


def _point_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    account = {"PROJECT_ID": "p", "KEY_ID": "k", "KEY_SECRET": "s", "AUTH": "basic", "BASE_URL": url}
    for name, value in account.items():
        monkeypatch.setenv(f"BULKFAX_SINCH__{name}", value)
    monkeypatch.setenv("BULKFAX_API_URL", url)


@pytest.mark.parametrize("command", [*COMMANDS, *PROVIDER_COMMANDS], ids=lambda words: " ".join(words[:3])[:30])
@pytest.mark.parametrize("how", ["table", "json", "refused"])
def test_whatever_a_server_answers_a_command_prints_no_character_that_a_terminal_obeys(
    attacked: Bulkfax, monkeypatch: pytest.MonkeyPatch, url: str, failing_url: str, command: tuple[str, ...], how: str
) -> None:
    _point_at(failing_url if how == "refused" else url, monkeypatch)
    ran = attacked(*command, *(["--json"] if how == "json" else []))
    assert obeyed(ran.out + ran.err) == set()
    assert "Traceback" not in ran.err
    assert "unexpected" not in ran.err
    if how == "refused":
        assert ran.status != 0
    elif how == "json":
        json.loads(ran.last_line)
    elif command[:2] not in _WITHOUT_TEXTS:
        assert SHOWN in ran.out + ran.err


@pytest.mark.parametrize("command", FAILURES, ids=lambda words: " ".join(words[:2])[:20])
def test_an_error_repeats_what_was_typed_without_obeying_it(
    attacked: Bulkfax, monkeypatch: pytest.MonkeyPatch, url: str, command: tuple[str, ...]
) -> None:
    _point_at(url, monkeypatch)
    monkeypatch.setenv("BULKFAX_REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    ran = attacked(*command)
    assert ran.status in {1, 2}
    assert obeyed(ran.out + ran.err) == set()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BULKFAX_LOG_LEVEL", ATTACK),
        ("BULKFAX_PUBLIC_URL", ATTACK),
        ("BULKFAX_POLICY_FILE", ATTACK),
        (f"BULKFAX_{ATTACK}", "x"),
        ("BULKFAX_API_URL", f"http://{ATTACK}"),
        ("BULKFAX_SINCH__BASE_URL", ATTACK),
        ("BULKFAX_REDIS_URL", f"redis://{ATTACK}"),
    ],
    ids=lambda text: text[:24].encode("unicode_escape").decode(),
)
def test_a_setting_is_repeated_in_an_error_without_obeying_it(
    attacked: Bulkfax, monkeypatch: pytest.MonkeyPatch, url: str, variable: str, value: str
) -> None:
    _point_at(url, monkeypatch)
    monkeypatch.setenv(variable.replace("\0", ""), value.replace("\0", ""))
    for command in (("policy", "explain", "x", "1"), ("doctor",), ("provider", "check"), ("batches", "list")):
        ran = attacked(*command)
        assert obeyed(ran.out + ran.err) == set()


def test_a_policy_file_is_repeated_in_an_error_without_obeying_it(
    attacked: Bulkfax, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "policy.toml").write_text('["\\u001b[31m"]\n"\\u001b[2J" = "\\u001b[1A"\n')
    monkeypatch.setenv("BULKFAX_POLICY_FILE", str(tmp_path / "policy.toml"))
    ran = attacked("policy", "explain", "CALL_ERROR", "1", "--here")
    assert ran.status == 2
    assert obeyed(ran.err) == set()


def test_a_trace_for_debugging_obeys_nothing_and_shows_no_values(
    attacked: Bulkfax, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        canary = "canary" + str(len(ATTACK))
        raise RuntimeError(ATTACK, canary[:0])

    monkeypatch.setenv("BULKFAX_LOG_LEVEL", "debug")
    monkeypatch.setattr("dispatcher.cli.policy.explain", fail)
    ran = attacked("policy", "explain", "CALL_ERROR", "1", "--here")
    assert "Traceback" in ran.err
    assert obeyed(ran.err) == set()
    assert f"canary{len(ATTACK)}" not in ran.err


def test_an_error_of_several_lines_cannot_pass_for_lines_of_ours(
    attacked: Bulkfax, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise output.CommandFailed("first\nerror: second")

    monkeypatch.setattr("dispatcher.cli.policy.explain", fail)
    assert attacked("policy", "explain", "CALL_ERROR", "1", "--here").err == "error: first\n  error: second\n"


def test_progress_and_the_result_of_the_demo_obey_nothing() -> None:
    batch = Batch.model_validate(every_text(Batch) | {"counts": {"failed": 1}, "categories": {"failed": {ATTACK: 1}}})
    comparison = Comparison(
        faxes=1, doubled=(ATTACK,), lost=(ATTACK,), wrong_state=(), strays=(), retried_to_delivery=0
    )
    result = DemoResult(rows=1, batch=batch, comparison=comparison, healthy=False, findings=(ATTACK,), seconds=1.0)
    bar = counting("jobs")
    bar.add_task(ATTACK, total=7)
    printer = Printer(width=200, file=io.StringIO())
    with printer.capture() as captured:
        printer.print(result.as_tables(), bar, tables.batch_facts(batch), progress_line(batch), *result.faults())
    assert obeyed(captured.get()) == set()
    assert SHOWN in captured.get()


def test_a_long_text_is_folded_by_what_is_shown_of_it() -> None:
    grid = tables.table("name", prose=["name"])
    grid.add_row("\x1b" * 100)
    printer = Printer(width=60, file=io.StringIO())
    with printer.capture() as captured:
        printer.print(grid)
    assert captured.get().count(r"\u001b"[1:]) + captured.get().count("\\") >= 100
    assert max(map(len, captured.get().splitlines())) <= 60


def log_hostile_lines() -> None:
    """Log texts and traces in both formats; it runs in a process of its own, because it configures logging."""
    for log_format in ("console", "json"):
        structlog.reset_defaults()
        configure_logs(Settings.model_validate({"log_format": log_format}), "web")
        try:
            raise ValueError(ATTACK)
        except ValueError:
            structlog.get_logger().exception("failed", text=ATTACK)
            logging.getLogger("library").exception("%s", ATTACK)


def test_a_log_line_obeys_nothing() -> None:
    script = "from tests.cli.test_hostile_texts import log_hostile_lines; log_hostile_lines()"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stderr.count("owned") >= 8
    assert obeyed(ran.stderr) == set()


def test_on_a_real_terminal_only_the_console_itself_moves_the_cursor(url: str, tmp_path: Path) -> None:
    """On a terminal the console writes escape sequences of its own, such as colours. None of the attack's is there."""
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "list.csv").write_text("fax\n+12025550101\n")
    printed = b""
    for arguments in (("jobs", "show", "b.1"), ("send", "letter.pdf", "list.csv", "--json")):
        printed += _on_a_terminal([sys.executable, "-m", "dispatcher.cli", *arguments], url, tmp_path)
    text = re.sub(r"\x1b\[[0-9;?]*[mlhKAG]|[\r\n]", "", printed.decode())
    assert obeyed(text) == set()
    assert "\x1b[1A\x1b" not in text
    assert SHOWN in text
    assert b"\x1b[2J" not in printed
    assert b"\x1b]0;" not in printed


def _on_a_terminal(command: list[str], url: str, folder: Path) -> bytes:
    """Run a command on a pseudo-terminal, and return what it wrote there."""
    ours, theirs = pty.openpty()
    env = os.environ | {"BULKFAX_API_URL": url, "TERM": "xterm-256color", "COLUMNS": "300"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=folder):
        os.close(theirs)
        written = b""
        try:
            while piece := os.read(ours, 65_536):
                written += piece
        except OSError:  # how Linux says that the other side is closed
            pass
    os.close(ours)
    return written


#: what writes to the terminal, or makes a text that is written as it is
_WRITING = {
    "print",
    "echo",
    "secho",
    "style",
    "prompt",
    "confirm_prompt",
    "Console",
    "Text",
    "from_markup",
    "from_ansi",
}


def test_no_other_file_of_the_command_line_prints(repository: Path) -> None:
    """``confirm`` of typer, ``print`` of another console, ``sys.stdout``: all of them belong into output.py.

    Only the probe prints by itself, what is visible of a text: a console takes too long for what runs all the time.
    """
    for file in (repository / "dispatcher" / "cli").rglob("*.py"):
        if file.name == "alive.py":
            assert file.read_text(encoding="utf-8").count("print(visible(") == 1
        if file.name in {"output.py", "alive.py"}:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                owner = ast.unparse(node.func).rpartition(".")[0]
                assert name not in _WRITING or owner in {"results", "notes", "output.results"}, (file, node.lineno)
                assert owner != "typer" or name in {"Typer", "Option", "Argument", "Exit", "BadParameter"}, (
                    file,
                    owner,
                )
            assert not (isinstance(node, ast.Attribute) and node.attr in {"stdout", "stderr"}), (file, node.lineno)


def test_no_service_prints_a_text_of_others_as_it_is(repository: Path) -> None:
    """Services log. What they print before logs are configured, and traces, passes ``visible`` too."""
    files = [*(repository / "workers").rglob("*.py"), *(repository / "dispatcher").rglob("*.py")]
    for file in files:
        if "emulator" in file.parts or file.name == "output.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            assert called not in {"traceback.print_exc", "traceback.print_exception"}, (file, node.lineno)
            if called in {"print", "sys.stderr.write", "sys.stdout.write"}:
                assert ast.unparse(node.args[0]).startswith("visible("), (file, node.lineno)
            if called == "uvicorn.Config":
                assert "log_config=None" in ast.unparse(node), (file, node.lineno)
