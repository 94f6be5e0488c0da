import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ct2pet.json_text import JsonError, check_document, parse_json, place_name

WHOLE = st.integers(-(2**63), 2**64 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | TEXT
DOCUMENT = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)


@given(DOCUMENT)
def test_json_documents_of_python_are_read_as_written(document):
    for ascii_only in (True, False):
        text = json.dumps(document, ensure_ascii=ascii_only, allow_nan=False).encode()
        assert parse_json(text) == document


@given(st.binary(max_size=40))
def test_no_bytes_raise_anything_but_an_error_of_one_line(content):
    told = []
    try:
        parse_json(content)
    except JsonError as error:
        told = str(error).splitlines()
    assert len(told) <= 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b" \n\t", "the file is empty"),
        (b"\xef\xbb\xbf{}", "byte order mark; save it as UTF-8 without one"),
        ("{}".encode("utf-16"), "byte 0 is not UTF-8"),
        (b'{"a": "\xe4"}', "byte 7 is not UTF-8"),
        (b'{"a": 1', "line 1 column 8"),
        (b'{"a": [1, {"b": NaN}]}', r"^a\[1\]\.b: expected a finite number, not nan"),
        (b'{"a": -Infinity}', "^a: expected a finite number, not -inf"),
        (b'{"a": 1e999}', "^a: expected a finite number, not inf"),
        (b"[[[Infinity]]]", r"^\[0\]\[0\]\[0\]: expected a finite number"),
        (b"NaN", "^the document: expected a finite number"),
        (b'{"a": 1, "b": 2, "a": 1}', "key 'a' twice"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "whole number of 5000 digits"),
        (b"-" + b"1" * 21, "whole number of 22 digits"),
        (b"[" * 101 + b"1.5" + b"]" * 101, "nested too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested too deeply"),
        (rb'["\uD83D"]', "escape of half a character"),
    ],
)
def test_invalid_json_is_reported_in_one_line(content, reason):
    with pytest.raises(JsonError, match=reason) as caught:
        parse_json(content)
    assert "\n" not in str(caught.value)


def test_values_at_the_limits_are_accepted():
    assert parse_json(b"-" + b"9" * 20) == -(10**20 - 1)
    assert parse_json(b"[" * 99 + b"1.5" + b"]" * 99)
    assert parse_json(rb'["\uD83D\uDE00", "\\uD83D"]') == ["\N{GRINNING FACE}", "\\uD83D"]
    assert parse_json(b"1e308") == 1e308


def test_a_document_that_did_not_come_from_a_file_is_checked_too():
    check_document({"a": (1.0, [None, "x"])})
    with pytest.raises(JsonError, match=r"a\[1\]\[0\]: expected a finite number, not inf"):
        check_document({"a": (1.0, [float("inf")])})


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (("configurations", "head", "patch_size", 1), "configurations.head.patch_size[1]"),
        ((0, "train", 2), "[0].train[2]"),
        (("Schädel", "a\nb", "c\u2028"), r"Schädel.a\nb.c\u2028"),
        ((), "the document"),
    ],
)
def test_a_place_is_named_as_a_user_would_look_for_it(place, name):
    assert place_name(place) == name
