"""Strict parsing of JSON text: every parsed document can be used and written again."""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Sequence
from typing import Any

_DEEPEST = 100  # levels of a document; documents of ct2pet have fewer than 20
_MOST_DIGITS = 20  # of a whole number; 64-bit numbers have no more
_NESTED = (dict, list, tuple)
_CHECKED = (*_NESTED, float)


class JsonError(ValueError):
    """A text is not JSON, or a value in it cannot be used. The message does not contain the file's name."""


def parse_json(content: bytes) -> Any:
    """The document in a JSON text in UTF-8.

    Raises JsonError where it is not JSON, and for documents that only Python's parser accepts: NaN, infinity and
    numbers beyond float64, a key that an object has twice, whole numbers of more than 20 digits, more than 100 levels.
    """
    if content.startswith(codecs.BOM_UTF8):
        raise _no_json("it begins with a byte order mark; save it as UTF-8 without one")
    if not content.strip():
        raise _no_json("the file is empty")
    try:
        text = content.decode("utf-8")
        document = json.loads(text, object_pairs_hook=_without_repetition, parse_int=_whole_number)
        if "\\ud" in text.lower():  # half of a UTF-16 surrogate pair, which is not valid text
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise _no_json(f"byte {error.start} is not UTF-8; save it as UTF-8") from None
    except UnicodeEncodeError:
        raise _no_json("a text contains an escape of half a character") from None
    except RecursionError:
        raise _no_json("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise _no_json(str(error)) from None
    check_document(document)
    return document


def check_document(document: Any) -> None:
    """Raise JsonError that names the place in the document where a number is NaN or infinite, or where lists and
    objects are nested more than 100 levels deep."""
    waiting: list[tuple[Any, tuple]] = [(document, ())]
    while waiting:
        value, place = waiting.pop()
        if len(place) > _DEEPEST:
            raise _no_json("nested too deeply")
        if isinstance(value, _NESTED):
            steps = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [(item, (*place, step)) for step, item in steps if isinstance(item, _CHECKED)]
        elif isinstance(value, float) and not math.isfinite(value):
            raise JsonError(f"{place_name(place)}: expected a finite number, not {value}")


def place_name(place: Sequence[str | int]) -> str:
    """The path of a value in a document, such as configurations.head.patch_size[1]: keys of objects and numbers in
    lists."""
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{one_line(str(step))}" for step in place)
    return name.removeprefix(".") or "the document"


def one_line(text: str) -> str:
    """The text, with line breaks and other control characters as their escapes."""
    return text if text.isprintable() else ascii(text)[1:-1]


def _no_json(reason: str) -> JsonError:
    return JsonError(f"cannot be read as JSON ({reason})")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise _no_json(f"an object has the key {repeated!r} twice")
    return content


def _whole_number(text: str) -> int:
    if len(text.lstrip("-")) > _MOST_DIGITS:
        raise _no_json(f"a whole number of {len(text)} digits is too large")
    return int(text)
