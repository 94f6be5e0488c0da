import numpy as np
import pytest

from ct2pet.evaluation.region_partition import LabelledRegions, Partition

SHAPE = (60, 50, 40)


def maps(seed=0):
    rng = np.random.default_rng(seed)
    districts = LabelledRegions(rng.integers(0, 5, SHAPE).astype(np.uint8), {"b": 4, "nowhere": 9, "a": 2}, "body")
    organs = LabelledRegions(rng.integers(0, 500, SHAPE).astype(np.uint16), {"liver": 300, "heart": 1})
    return districts, organs


def test_regions_hold_their_voxels_and_no_others():
    districts, organs = maps()
    partition = Partition.of([districts, organs])
    assert list(partition.regions) == ["body", "b", "nowhere", "a", "liver", "heart"]
    for kind in (districts, organs):
        for name, label in kind.names.items():
            np.testing.assert_array_equal(np.sort(partition.region(name)), np.flatnonzero(kind.labels == label))
    body = np.flatnonzero(np.isin(districts.labels, [4, 2]))
    np.testing.assert_array_equal(np.sort(partition.region("body")), body)


def test_every_voxel_is_in_one_part_and_in_one_chunk():
    districts, organs = maps(1)
    partition = Partition.of([districts, organs])
    seen = np.concatenate([voxels for _, voxels in partition.chunks()])
    np.testing.assert_array_equal(seen, partition.voxels)
    wanted = np.isin(districts.labels, [4, 2]) | np.isin(organs.labels, [300, 1])
    np.testing.assert_array_equal(np.sort(seen), np.flatnonzero(wanted))
    assert sum(partition.part(index).size for index in range(len(partition.ends))) == seen.size
    assert {part for part, _ in partition.chunks()} == set(range(len(partition.ends)))


@pytest.mark.parametrize("kinds", [[LabelledRegions(np.zeros((2, 2, 2), np.uint8), {}, "all")], []])
def test_a_partition_of_no_voxels_is_empty(kinds):
    kinds = [*kinds, LabelledRegions(np.zeros((2, 2, 2), np.uint8), {"x": 3})]
    partition = Partition.of(kinds)
    assert partition.regions == {**({"all": []} if kinds[:-1] else {}), "x": []}
    assert list(partition.chunks()) == []
    assert partition.region("x").size == 0


def test_large_parts_come_in_chunks():
    labels = np.ones((70, 50, 40), np.uint8)
    partition = Partition.of([LabelledRegions(labels, {"x": 1})])
    assert [voxels.size for _, voxels in partition.chunks()] == [65536, 65536, 8928]


def test_a_partition_has_more_than_255_regions():
    labels = np.arange(1, 1001, dtype=np.uint16).reshape(10, 10, 10)
    other = LabelledRegions(np.full((10, 10, 10), 7, np.uint8), {"all": 7})
    partition = Partition.of([other, LabelledRegions(labels, {str(label): label for label in range(1, 1001)})])
    assert partition.region("999").tolist() == [998]
    assert len(partition.regions["all"]) == 1000
