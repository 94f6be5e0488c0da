import pytest

from ct2pet.phantom.tissues import FATTY, GAS, LABELS, PART_OF, TISSUES, labels_of, labels_with_parts

TABLE = {tissue.name: tissue for tissue in TISSUES}


def test_at_least_eighteen_organs_with_labels_of_their_own():
    assert len(TABLE) == len(TISSUES) >= 18
    assert sorted(LABELS.values()) == list(range(1, len(TISSUES) + 1))


def test_every_figure_names_its_source_and_every_source_is_listed():
    import ct2pet.phantom.tissues as module

    for tissue in TISSUES:
        for source in tissue.source.replace(";", ",").split(","):
            known = source.strip() in module.__doc__ or source.strip().startswith(("assumed", "gas"))
            assert known, f"{tissue.name}: {source}"


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("lung", -900, -600),
        ("fat", -130, -70),
        ("muscle", 30, 70),
        ("liver", 40, 75),
        ("femur", 700, 1600),
        ("marrow", 50, 400),
    ],
)
def test_ct_numbers_lie_where_textbooks_have_them(name, low, high):
    assert low < TABLE[name].hu < high


def test_uptake_has_the_order_that_readers_know():
    order = ["bladder", "grey_matter", "liver", "blood", "muscle", "lung", "fat", "bowel_gas"]
    values = [TABLE[name].suv for name in order]
    assert values == sorted(values, reverse=True)
    assert TABLE["liver"].suv == pytest.approx(2, abs=0.3)
    assert TABLE["muscle"].suv == pytest.approx(0.6, abs=0.1)


def test_gas_is_gas_and_fat_is_lighter_than_water():
    assert all(TABLE[name].hu < -900 for name in GAS)
    assert all(TABLE[name].hu < 20 for name in FATTY)


def test_unknown_tissues_are_refused():
    with pytest.raises(KeyError):
        labels_of("liver", "livre")


def test_parts_have_the_values_of_their_tissue_and_the_last_labels():
    for part, whole in PART_OF.items():
        assert TABLE[part]._replace(name=whole) == TABLE[whole]
    assert sorted(labels_of(*PART_OF)) == list(range(len(TISSUES) - len(PART_OF) + 1, len(TISSUES) + 1))
    assert (LABELS["skin"], LABELS["yellow_marrow"]) == (1, 50), "maps that were written before keep their meaning"


def test_a_tissue_is_found_with_its_parts():
    assert set(labels_with_parts("blood", "liver")) == set(labels_of("blood", "heart_blood", "aorta", "liver"))
    assert labels_with_parts("aorta") == labels_of("aorta")
    with pytest.raises(KeyError):
        labels_with_parts("livre")
