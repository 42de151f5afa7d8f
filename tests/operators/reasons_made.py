"""All that gateway and collector can say of a missed slot, found in their code at the places that say it.

A reason is the text given to `Missed`, or the problem of an error that a poll turns into one; some quote why
an answer is a `Misfit`. The code is read, not run: a text is followed through names, conditions, tables, and
the calls of functions that pass it on. What is only known when it happens (a number, a name, another reason)
becomes SAMPLE.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path
from string import Formatter
from typing import Any

import collector
import gateway
from gateway.delivery.outbox import OutboxUnavailable
from gateway.mbus.errors import MbusError
from gateway.modbus.errors import ModbusError
from gateway.modbus.frames import Misfit
from gateway.readout import ReadFailed
from kaukoluenta.payload import Missed
from kaukoluenta.reading import ReadingRefused

SAMPLE = "7"

NO_SLOT_MEETS = {
    "commissioning": "people give these commands by hand",
    "commands.py": "M-Bus commands, given by hand too",
    "use_baud": "changes a line's speed for such a command",
    "books.py": "reads back what gateways have said",
    "BadKey": "the config is refused before anything is polled",
    "BadAddress": "likewise",
    "BadLink": "likewise",
    "DoesNotFit": "commands and the simulator encode, a poll does not",
}
"""Folders, files, functions and errors that make no reason, and why."""

_DEEPEST = 12


@dataclass(frozen=True)
class _Place:
    """A module's name, and the functions around a piece of its code, the innermost first."""

    module: str
    functions: tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...] = ()


def reasons_made() -> list[str]:
    """Every reason, once. Fails on a place whose text it cannot make out."""
    speakers = {speaker.__name__: _place_of(speaker, "problem") for speaker in _speakers()}
    speakers |= {told.__name__: _place_of(told, "reason") for told in (Missed, Misfit)}
    found: set[str] = set()
    for call, place in _everywhere(ast.Call):
        name = _name(call.func)
        if name in speakers and not _is_passed_on(said := call.args[speakers[name]]):
            texts = set(_texts(said, place, 0)) - {SAMPLE}
            assert texts, (
                f"{place.module}:{call.lineno} says what? Teach it here, or name it in NO_SLOT_MEETS."
            )
            found |= texts
    return sorted(found)


def _speakers() -> Iterator[type[Exception]]:
    """The errors that a poll, or the keeping of its outcome, turns into reasons."""
    waiting: list[type[Exception]] = [ReadFailed, ReadingRefused, MbusError, ModbusError, OutboxUnavailable]
    for module in _modules():
        import_module(module)  # so that all their kinds are known
    while waiting:
        speaker = waiting.pop()
        waiting += speaker.__subclasses__()
        if not NO_SLOT_MEETS.keys() & {speaker.__name__, *speaker.__module__.split(".")}:
            yield speaker


def _place_of(called: Any, parameter: str) -> int:
    return list(inspect.signature(called).parameters).index(parameter)


@cache
def _modules() -> dict[str, ast.Module]:
    """The code of both rooms, by module."""
    roots = [Path(inspect.getfile(room)).parent for room in (gateway, collector)]
    paths = [path for root in roots for path in root.rglob("*.py")] + [Path(inspect.getfile(ReadingRefused))]
    found = {}
    for path in paths:
        inside = path.relative_to(roots[0].parent)
        if path.stem != "__main__" and not NO_SLOT_MEETS.keys() & set(inside.parts):
            name = ".".join(inside.with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


@cache
def _everywhere(kind: type[ast.AST]) -> list[tuple[Any, _Place]]:
    """All nodes of a kind, and where each stands."""
    found: list[tuple[Any, _Place]] = []

    def look(node: ast.AST, place: _Place) -> None:
        if isinstance(node, kind):
            found.append((node, place))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name in NO_SLOT_MEETS:
                return
            place = _Place(place.module, (node, *place.functions))
        for child in ast.iter_child_nodes(node):
            look(child, place)

    for name, tree in _modules().items():
        look(tree, _Place(name))
    return found


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_passed_on(node: ast.expr) -> bool:
    """Another error's problem, perhaps cut: found where that one is made."""
    return _name(node.value if isinstance(node, ast.Subscript) else node) == "problem"


def _texts(node: ast.expr, place: _Place, depth: int) -> list[str]:
    return [value if isinstance(value, str) else SAMPLE for value in _values(node, place, depth)]


def _values(node: ast.expr, place: _Place, depth: int) -> list[Any]:
    """All that an expression may give: texts, tuples of texts; SAMPLE for what is not known before."""
    if depth > _DEEPEST:
        return [SAMPLE]
    match node:
        case ast.Constant(value=value):
            return [value]
        case ast.JoinedStr(values=parts):
            return ["".join(choice) for choice in product(*(_texts(part, place, depth) for part in parts))]
        case ast.FormattedValue(value=value):
            return _texts(value, place, depth)
        case ast.IfExp(body=body, orelse=orelse):
            return _values(body, place, depth) + _values(orelse, place, depth)
        case ast.BoolOp(values=choices):
            return [value for choice in choices for value in _values(choice, place, depth)]
        case ast.Tuple(elts=parts):
            return [tuple(_texts(part, place, depth)[0] for part in parts)]
        case ast.Name(id=name):
            return _named(name, place, depth + 1)
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return _bound(name, place.module, None, depth + 1) or [SAMPLE]
        case ast.Call(func=ast.Attribute(value=base, attr="format")):
            return [_filled(text) for text in _texts(base, place, depth)]
        case ast.Call(func=ast.Attribute(value=ast.Name(id=table), attr="get"), args=[_, default]):
            return [*getattr(import_module(place.module), table).values(), *_values(default, place, depth)]
        case ast.Call(func=ast.Name(id=name)):
            return _returned(name, place.module, depth + 1)
    return [SAMPLE]


def _named(name: str, place: _Place, depth: int) -> list[Any]:
    """What was bound to a name around the place, what callers give for it, or the module's constant."""
    for function in place.functions:
        if bound := _bound(name, place.module, function, depth):
            return bound
        parameters = [one.arg for one in function.args.args if one.arg != "self"]
        if name in parameters:
            return _given(function.name, parameters.index(name), name, depth) or [SAMPLE]
    return [getattr(import_module(place.module), name, SAMPLE)]


def _bound(name: str, module: str, function: ast.AST | None, depth: int) -> list[Any]:
    """What assignments bind to a name, in one function of a module or in all of it."""
    return [
        value[part] if isinstance(value, tuple) and part is not None else value
        for assignment, place in _everywhere(ast.Assign)
        if place.module == module and (function is None or function in place.functions)
        for target, node, part in _targets(assignment)
        if _name(target) == name
        for value in _values(node, place, depth)
    ]


def _targets(assignment: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr, int | None]]:
    """Each target, its value, and which part of that value it takes."""
    match assignment.targets[0], assignment.value:
        case ast.Tuple(elts=targets), ast.Tuple(elts=values):
            yield from ((target, value, None) for target, value in zip(targets, values, strict=True))
        case ast.Tuple(elts=targets), value:
            yield from ((target, value, part) for part, target in enumerate(targets))
        case target, value:
            yield target, value, None


def _given(function: str, position: int, name: str, depth: int) -> list[Any]:
    """What the callers of a function give for one of its parameters."""
    found: list[Any] = []
    for call, place in _everywhere(ast.Call):
        if _name(call.func) == function:
            named = [word.value for word in call.keywords if word.arg == name]
            for argument in named or call.args[position : position + 1]:
                found += _values(argument, place, depth)
    return found


def _returned(function: str, module: str, depth: int) -> list[Any]:
    """What a function of this module gives back, or one of that name that is imported."""
    ends = [
        (node.value, place)
        for node, place in _everywhere(ast.Return)
        if node.value and place.functions and place.functions[0].name == function
    ]
    own = [end for end in ends if end[1].module == module]
    return [value for node, place in own or ends for value in _values(node, place, depth)] or [SAMPLE]


def _filled(text: str) -> str:
    return "".join(
        before + (SAMPLE if name is not None else "") for before, name, *_ in Formatter().parse(text)
    )
