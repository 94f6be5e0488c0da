import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ct2pet.errors import Ct2PetError, PlansError
from ct2pet.schema import Count, NotNegative, NotNegativeInt, Positive, Share, parse_as, read_as


@dataclass(frozen=True)
class Network:
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Setting:
    patch_size: list[int]
    spacing: tuple[float, float]
    network: Network
    clip: bool
    masking: Literal["hard", "context"] = "hard"
    limit: float | None = None
    label: int | str = 1
    slices: Network | None = None

    def __post_init__(self):
        if self.limit is not None and self.limit < 0:
            raise ValueError("limit must not be negative")


@dataclass(frozen=True)
class Whole:
    version: int
    blend_mm: float
    configurations: dict[str, Setting]
    labels: Mapping[str, int] = field(default_factory=dict)


def document():
    setting = {
        "patch_size": [1, 2],
        "spacing": [1, 2.5],
        "network": {"name": "a.B", "arguments": {"strides": [1, None], "norm": {"eps": 1e-5}}},
        "clip": True,
    }
    return {"version": 1, "blend_mm": 20, "configurations": {"head": setting}}


def changed(place, value):
    content = document()
    *above, last = place
    target = content
    for step in above:
        target = target[step]
    target[last] = value
    return content


def test_a_document_becomes_the_dataclass_that_it_was_written_from(tmp_path):
    whole = parse_as(document(), Whole, "plans")
    assert whole == Whole(
        1, 20.0, {"head": Setting([1, 2], (1.0, 2.5), Network("a.B", document_arguments()), clip=True)}
    )
    assert isinstance(whole.blend_mm, float)  # a whole number serves as one
    path = tmp_path / "plans.json"
    path.write_text(json.dumps(dataclasses.asdict(whole)))
    assert read_as(path, Whole) == whole


def document_arguments():
    return document()["configurations"]["head"]["network"]["arguments"]


def test_lists_and_dicts_of_dataclasses_are_read_too():
    setting = document()["configurations"]["head"]
    (one,) = parse_as([setting], list[Setting], "x")
    assert parse_as({"head": setting}, dict[str, Setting], "x") == {"head": one}


HEAD = ("configurations", "head")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (changed((*HEAD, "patch_size", 1), "2"), 'configurations.head.patch_size[1]: expected a whole number, not "2"'),
        (changed((*HEAD, "patch_size", 1), 2.0), "configurations.head.patch_size[1]: expected a whole number, not 2.0"),
        (
            changed((*HEAD, "patch_size", 1), True),
            "configurations.head.patch_size[1]: expected a whole number, not true",
        ),
        (changed((*HEAD, "patch_size"), None), "configurations.head.patch_size: expected a list, not null"),
        (changed((*HEAD, "spacing"), [1]), "configurations.head.spacing: the list is too short"),
        (changed((*HEAD, "spacing"), [1, 2, 3]), "configurations.head.spacing: the list is too long"),
        (changed((*HEAD, "clip"), 1), "configurations.head.clip: expected true or false, not 1"),
        (
            changed((*HEAD, "masking"), "soft"),
            "configurations.head.masking: expected 'hard' or 'context', not \"soft\"",
        ),
        (changed((*HEAD, "limit"), -1), "configurations.head: limit must not be negative"),
        (changed((*HEAD, "limit"), "1"), 'configurations.head.limit: expected a number, not "1"'),
        (changed((*HEAD, "label"), None), "configurations.head.label: expected a whole number, not null (and 1 more)"),
        (changed((*HEAD, "network", "name"), 3), "configurations.head.network.name: expected a text, not 3"),
        (changed(HEAD, []), "configurations.head: expected an object, not a list of 0"),
        (changed(("configurations",), [1, 2]), "configurations: expected an object, not a list of 2"),
        (changed(("labels",), {"head": 1.5}), "labels.head: expected a whole number, not 1.5"),
        (changed(("blend_mm",), True), "blend_mm: expected a number, not true"),
        (changed(("blend_mm",), float("nan")), "blend_mm: expected a finite number, not nan"),
        (
            changed((*HEAD, "network", "arguments", "momentum"), float("inf")),
            "configurations.head.network.arguments.momentum: expected a finite number, not inf",
        ),
        (changed(("blend",), 1), "unknown key 'blend'; did you mean 'blend_mm'?"),
        (changed((*HEAD, "patchsize"), 1), "configurations.head: unknown key 'patchsize'; did you mean 'patch_size'?"),
        (changed((*HEAD, "network", "zz"), 1), "configurations.head.network: unknown key 'zz'"),
        (
            changed((*HEAD, "slices"), {"nam": "a", "arguments": {}}),
            "configurations.head.slices: unknown key 'nam'; did you mean 'name'? (and 1 more)",
        ),
        (changed(("labels",), {"a\nb": "c\u2028d"}), r'labels.a\nb: expected a whole number, not "c\u2028d"'),
        (None, "the document: expected an object, not null"),
        ([1], "the document: expected an object, not a list of 1"),
        (3, "the document: expected an object, not 3"),
        ("x" * 100, f'the document: expected an object, not "{"x" * 39}...'),
        ({}, "the key 'version' is missing (and 2 more)"),
    ],
)
def test_an_error_is_one_line_that_names_the_place(content, said):
    with pytest.raises(PlansError) as caught:
        parse_as(content, Whole, "plans.json", PlansError)
    assert str(caught.value) == f"plans.json: {said}"


def test_a_whole_number_beyond_float64_is_no_float():
    with pytest.raises(Ct2PetError, match=r"^x: blend_mm: expected a (finite )?number, not 1000"):
        parse_as(changed(("blend_mm",), 10**400), Whole, "x")


def test_a_missing_key_is_named():
    content = document()
    del content["configurations"]["head"]["clip"]
    with pytest.raises(Ct2PetError, match=r"^x: configurations\.head: the key 'clip' is missing$"):
        parse_as(content, Whole, "x")


@pytest.mark.parametrize("value", [object(), 10**5000, {1, 2}], ids=["object", "5000 digits", "set"])
def test_values_without_a_json_form_are_an_error(value):
    with pytest.raises(Ct2PetError, match=r"^checkpoint\.pth: contains a value that JSON cannot represent"):
        parse_as(changed((*HEAD, "network", "arguments", "x"), value), Whole, "checkpoint.pth")


def test_a_document_that_contains_itself_is_an_error():
    content = document()
    content["configurations"]["head"]["network"]["arguments"]["x"] = content
    with pytest.raises(Ct2PetError, match="nested too deeply"):
        parse_as(content, Whole, "x")


def test_files_that_are_no_json_are_named_with_the_error_of_the_caller(tmp_path):
    path = tmp_path / "plans.json"
    with pytest.raises(PlansError, match=r"plans\.json: no such file"):
        read_as(path, Whole, PlansError)
    path.write_text("[")
    with pytest.raises(PlansError, match=r"plans\.json: cannot be read as JSON"):
        read_as(path, Whole, PlansError)


def test_a_remedy_ends_the_line_but_not_where_rights_are_missing(tmp_path, monkeypatch):
    path = tmp_path / "plans.json"
    for content in (None, "[", "{}"):
        if content is not None:
            path.write_text(content)
        with pytest.raises(PlansError, match=r"plans\.json: .*; plan again$"):
            read_as(path, Whole, PlansError, "plan again")

    def forbidden(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", forbidden)
    with pytest.raises(PlansError, match=r"plans\.json: no permission to read$"):
        read_as(path, Whole, PlansError, "plan again")


@dataclass(frozen=True)
class Numbers:
    epochs: Count = 1
    rate: Positive = 1.0
    decay: Share = 0.0
    weight: NotNegative = 0.0
    pool: NotNegativeInt = 0

    def __post_init__(self):
        if self.pool > self.epochs:
            raise PlansError("the pool is larger than the epochs")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"epochs": 0}, "epochs: expected a number of at least 1, not 0"),
        ({"rate": 0}, "rate: expected a number above 0, not 0"),
        ({"decay": -0.1}, "decay: expected a number of at least 0, not -0.1"),
        ({"decay": 1}, "decay: expected a number below 1, not 1"),
        ({"weight": -1e-9}, "weight: expected a number of at least 0, not -1e-09"),
        ({"pool": -1}, "pool: expected a number of at least 0, not -1"),
        ({"epochs": 1.5}, "epochs: expected a whole number, not 1.5"),
        ({"pool": 2}, "the pool is larger than the epochs"),
    ],
)
def test_numbers_out_of_range_are_named_with_the_range(values, said):
    with pytest.raises(PlansError) as caught:
        parse_as(values, Numbers, "x", PlansError)
    assert str(caught.value) == f"x: {said}"


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
PLACES = [("version",), ("blend_mm",), HEAD, (*HEAD, "spacing"), (*HEAD, "network"), (*HEAD, "label"), ("more",)]


@given(st.sampled_from(PLACES), ANY)
def test_any_value_of_any_key_is_accepted_or_refused_in_one_line(place, value):
    told = ["plans.json: nothing"]
    try:
        parse_as(changed(place, value), Whole, "plans.json")
    except Ct2PetError as error:
        told = str(error).splitlines()
    assert len(told) == 1
    assert told[0].startswith("plans.json: ")
