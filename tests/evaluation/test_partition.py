import numpy as np

from ct2pet.evaluation.partition import Partition


def test_parts_hold_their_voxels_and_no_others():
    labels = np.random.default_rng(0).integers(0, 5, (60, 50, 40)).astype(np.uint8)
    partition = Partition.of(labels, {"b": 4, "nowhere": 9, "a": 2}, "both")
    assert partition.names == ("b", "nowhere", "a")
    for index, label in enumerate((4, 9, 2)):
        np.testing.assert_array_equal(partition.part(index), np.flatnonzero(labels == label))
    seen = [voxels for _, voxels in partition.chunks()]
    np.testing.assert_array_equal(np.concatenate(seen), partition.voxels)
    assert {part for part, _ in partition.chunks()} == {0, 2}


def test_it_may_be_empty():
    partition = Partition.of(np.zeros((2, 2, 2), np.uint8), {}, "all")
    assert (partition.names, partition.voxels.size, list(partition.chunks())) == ((), 0, [])


def test_there_may_be_more_parts_than_a_byte_counts():
    labels = np.arange(1, 1001, dtype=np.uint16).reshape(10, 10, 10)
    partition = Partition.of(labels, {str(label): label for label in range(1, 1001)})
    assert partition.part(998).tolist() == [998]
