"""Generates the asynchronous client from the synchronous one, so that there is one implementation of both.

A function becomes asynchronous if it calls one that is: ``_WAITING`` are the first of them. Calls in a lambda are left
as they are: whoever calls it waits.
"""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

_CLIENT = Path(__file__).parent.parent / "dispatcher" / "client"
#: names that are others in the asynchronous client
_NAMES = {
    "AbstractContextManager": "AbstractAsyncContextManager",
    "BaseTransport": "AsyncBaseTransport",
    "Client": "AsyncClient",
    "Fetching": "AsyncFetching",
    "Iterator": "AsyncIterator",
    "Reading": "AsyncReading",
    "Retrying": "AsyncRetrying",
    "Transport": "AsyncTransport",
    "__enter__": "__aenter__",
    "__exit__": "__aexit__",
    "close": "aclose",
    "each": "async_each",
    "iter_bytes": "aiter_bytes",
    "opened": "async_opened",
    "sleep": "async_sleep",
}
_MODULES = {"dispatcher.client.transport": "dispatcher.client.async_transport"}
#: functions that wait: by name, and by the end of a call such as ``response.read()``
_WAITING = {"fetch", "read", "repeat", "sleep", "__enter__"}
_WAITING_METHODS = {"response.read": "aread", "self._http.close": "aclose"}
#: what is iterated or entered asynchronously: calls that end so
_STREAMS = {"iter_bytes", "each"}
_CONTEXTS = {"stream", "opened"}
_TRANSPORT = {"call", "close", "save", "upload"}
_NOTE = '"""{text}\n\nGenerated from ``{name}`` by ``./run generate``; change that.\n"""\n'

Function = ast.FunctionDef | ast.AsyncFunctionDef


def generated(source: Path, text: str) -> str:
    """Return the asynchronous twin of a module, with ``text`` as the beginning of its docstring."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    tree.body = tree.body[1:]
    twin = ast.fix_missing_locations(_Twin(tree).visit(tree))
    return _formatted(_NOTE.format(text=text, name=source.name) + ast.unparse(twin))


#: the generated modules, each with what makes its text
GENERATED: Mapping[Path, Callable[[], str]] = {
    _CLIENT / "async_client.py": partial(generated, _CLIENT / "client.py", "The client for asyncio."),
    _CLIENT / "async_transport.py": partial(
        generated, _CLIENT / "transport.py", "One request to the API, for asyncio: see ``transport``."
    ),
}


def _formatted(code: str) -> str:
    for arguments in (("check", "--fix", "--quiet", "--select", "I,F401"), ("format", "--quiet")):
        command = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(_CLIENT / "async_client.py"), "-"]
        code = subprocess.run(command, input=code, capture_output=True, text=True, check=True).stdout  # noqa: S603
    return code


def _name_of(call: ast.expr) -> str:
    """Return the name of what is called, such as ``self.batch``; empty for what is no call."""
    return ast.unparse(call.func) if isinstance(call, ast.Call) else ""


def _outside_lambdas(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.Lambda):
            yield child
            yield from _outside_lambdas(child)


class _Twin(ast.NodeTransformer):
    """Makes functions asynchronous and renames what has another name."""

    def __init__(self, tree: ast.Module) -> None:
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        self._streams = set(_STREAMS)
        self._waiting = set(_WAITING)
        while True:
            waiting = {function.name for function in functions if self._waits(function)}
            yielding = {function.name for function in functions if function.name in waiting and _yields(function)}
            if waiting <= self._waiting and yielding <= self._streams:
                break
            self._streams |= yielding
            self._waiting |= waiting
        self._asynchronous = {function.name for function in functions if self._waits(function)} | {"__enter__"}
        self._in_lambda = 0

    def _waits(self, function: ast.FunctionDef) -> bool:
        return any(
            self._is_waiting(node) or self._is_stream(node) or self._is_context(node)
            for node in _outside_lambdas(function)
            if isinstance(node, ast.Call)
        )

    def _is_waiting(self, call: ast.Call) -> bool:
        name = _name_of(call)
        owner, _, method = name.rpartition(".")
        known = self._waiting - self._streams
        return (
            name in _WAITING_METHODS
            or (owner in ("", "self") and method in known)
            or (owner == "self._transport" and method in _TRANSPORT)
        )

    def _is_stream(self, call: ast.expr) -> bool:
        owner, _, method = _name_of(call).rpartition(".")
        return owner in ("", "self", "response") and method in self._streams

    def _is_context(self, call: ast.expr) -> bool:
        return _name_of(call).rpartition(".")[2] in _CONTEXTS

    def visit_Module(self, node: ast.Module) -> ast.AST:
        return self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        node.module = _MODULES.get(node.module or "", node.module)
        for alias in node.names:
            alias.name = _NAMES.get(alias.name, alias.name)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        is_async = node.name in self._asynchronous
        self.generic_visit(node)
        node.name = _NAMES.get(node.name, node.name)
        return ast.AsyncFunctionDef(**vars(node)) if is_async else node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.name = _NAMES.get(node.name, node.name)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self._in_lambda += 1
        self.generic_visit(node)
        self._in_lambda -= 1
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        waits = self._is_waiting(node) and not self._in_lambda
        renamed = _WAITING_METHODS.get(_name_of(node))
        self.generic_visit(node)
        if renamed and isinstance(node.func, ast.Attribute):
            node.func.attr = renamed
        return ast.Await(node) if waits else node

    def visit_For(self, node: ast.For) -> ast.AST:
        is_async = self._is_stream(node.iter)
        self.generic_visit(node)
        return ast.AsyncFor(**vars(node)) if is_async else node

    def visit_With(self, node: ast.With) -> ast.AST:
        is_async = any(self._is_context(item.context_expr) for item in node.items)
        self.generic_visit(node)
        return ast.AsyncWith(**vars(node)) if is_async else node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if not isinstance(node.value, ast.YieldFrom):
            return self.generic_visit(node)
        # an asynchronous generator has no ``yield from``
        item = ast.Name("item", ast.Load())
        step = ast.For(
            target=ast.Name("item", ast.Store()),
            iter=node.value.value,
            body=[ast.Expr(ast.Yield(item))],
            orelse=[],
        )
        return self.visit_For(step)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = _NAMES.get(node.id, node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        node.attr = _NAMES.get(node.attr, node.attr)
        return node


def _yields(function: ast.FunctionDef) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function))
