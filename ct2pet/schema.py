"""JSON files read as dataclasses: the declared types are the schema, and an error names the path in the document."""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import types
import typing
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from annotated_types import Ge, Gt, Lt

from ct2pet.errors import Ct2PetError
from ct2pet.files import read_json
from ct2pet.json_text import JsonError, check_document, one_line, place_name

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

T = TypeVar("T")
Count = Annotated[int, Ge(1)]
NotNegativeInt = Annotated[int, Ge(0)]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Lt(1)]
_LONGEST = 40  # characters of a value that an error shows
_UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")
_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "an object",
    "dataclass_type": "an object",
    "none_required": "null",
}
_LIMITS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "of at least"),
    "less_than": ("lt", "below"),
}


def read_as(
    path: str | os.PathLike, kind: type[T], error_class: type[Ct2PetError] = Ct2PetError, remedy: str = ""
) -> T:
    """The content of a JSON file as a ``kind``: a dataclass, or a list, dict ... of dataclasses and plain values.

    Types must match: a whole number is valid as a float, nothing else is converted. Only keys with a default are
    optional; unknown keys are refused. Raises ``error_class`` in one line that names the file, the path in the document
    and the expected value; also where the file is missing, not readable or not JSON (see ``read_json``). Where
    ``__post_init__`` of a dataclass raises a ValueError or a Ct2PetError, its text is the reason in the line.
    ``remedy``: how to make such a file, for the end of the line; omitted where rights are missing.
    """
    try:
        return parse_as(read_json(path, error_class), kind, str(path), error_class)
    except error_class as error:
        if not remedy or isinstance(error.__context__, PermissionError):
            raise
        raise error_class(f"{error}; {remedy}") from None


def parse_as(content: Any, kind: type[T], source: str, error_class: type[Ct2PetError] = Ct2PetError) -> T:
    """As ``read_as``, for a parsed document; ``source`` names it in errors."""
    from pydantic import ValidationError  # takes 0.1 s; --help does not need it

    declared: Any = kind
    try:
        check_document(content)
        text = json.dumps([content])
        return _adapter(declared).validate_json(text)[0]
    except JsonError as error:
        raise error_class(f"{source}: {error}") from None
    except ValidationError as invalid:
        problems = invalid.errors(include_url=False)
        first = min(problems, key=lambda problem: problem["type"] not in _UNKNOWN)  # a typo explains the missing key
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise error_class(f"{source}: {_explained(first, kind, content)}{more}") from None
    except Ct2PetError as error:
        raise error_class(f"{source}: {error}") from None
    except (TypeError, ValueError, RecursionError) as error:  # possible where the content is not from a JSON file
        raise error_class(f"{source}: contains a value that JSON cannot represent ({error})") from None


@cache
def _adapter(kind: Any) -> TypeAdapter:
    """Checks a list with one ``kind``: pydantic takes the rules for dataclasses from the surrounding type."""
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(tuple[kind], config=ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))


def _explained(problem: ErrorDetails, kind: Any, content: Any) -> str:
    place = _existing(problem["loc"][1:], content)
    *above, last = problem["loc"][1:] or [""]
    if problem["type"] in _UNKNOWN:
        close = difflib.get_close_matches(str(last), _keys(kind, above), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"{_before(above)}unknown key {last!r}{hint}"
    if problem["type"] == "missing" and isinstance(last, str):
        return f"{_before(above)}the key {last!r} is missing"
    if problem["type"] in ("missing", "too_short", "too_long"):
        return f"{place_name(place)}: the list is too {'long' if problem['type'] == 'too_long' else 'short'}"
    if problem["type"] == "value_error":
        return f"{_before(place)}{problem['ctx']['error']}"
    found = _shown(problem["input"])
    if problem["type"] == "literal_error":
        return f"{place_name(place)}: expected {problem['ctx']['expected']}, not {found}"
    if problem["type"] in _LIMITS:
        key, words = _LIMITS[problem["type"]]
        return f"{place_name(place)}: expected a number {words} {problem['ctx'][key]:g}, not {found}"
    if problem["type"] in _EXPECTED:
        return f"{place_name(place)}: expected {_EXPECTED[problem['type']]}, not {found}"
    return f"{place_name(place)}: {problem['msg']}, not {found}"


def _before(place: Sequence[str | int]) -> str:
    return f"{place_name(place)}: " if place else ""


def _existing(place: Sequence[str | int], content: Any) -> list[str | int]:
    """The path without its last parts that are not keys of the document: pydantic appends the name of a type to a
    union."""
    found: list[str | int] = []
    for step in place:
        try:
            content = content[step]
        except (KeyError, IndexError, TypeError):
            break
        found.append(step)
    return found


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    text = one_line(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _keys(kind: Any, place: Sequence[str | int]) -> list[str]:
    """The allowed keys of the object at a path."""
    kinds = _alternatives(kind)
    for step in place:
        kinds = [below for one in kinds for below in _below(one, step)]
    return [field.name for one in kinds if dataclasses.is_dataclass(one) for field in dataclasses.fields(one)]


def _below(kind: Any, step: str | int) -> list[Any]:
    """The types that are declared one step below a type."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        return _alternatives(hints[str(step)]) if step in hints else []
    arguments = [argument for argument in typing.get_args(kind) if argument is not Ellipsis]
    if not arguments:
        return []
    if isinstance(step, int) and len(arguments) > step:
        return _alternatives(arguments[step])
    return _alternatives(arguments[-1])


def _alternatives(kind: Any) -> list[Any]:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return list(typing.get_args(kind))
    return [kind]
