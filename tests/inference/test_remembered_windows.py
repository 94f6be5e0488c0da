import torch

from ct2pet.inference.remembered_windows import RememberedWindows


class Doubled:
    """Doubles windows; ``seen`` lists how many came at once."""

    def __init__(self):
        self.seen = []

    def __call__(self, windows):
        self.seen.append(len(windows))
        return {"PET": 2 * windows[:, :1]}


def windows(*values):
    return torch.stack([torch.full((2, 3, 3, 3), float(value)) for value in values])


def test_windows_that_were_seen_are_not_computed_again():
    remembered, double, network = RememberedWindows(), Doubled(), torch.nn.Identity()
    answer = remembered.before(network, double)
    answer(windows(1, 2))
    found = answer(windows(2, 3, 1))["PET"]
    torch.testing.assert_close(found, 2 * windows(2, 3, 1)[:, :1])
    assert double.seen == [2, 1]
    torch.testing.assert_close(answer(windows(3))["PET"], 2 * windows(3)[:, :1])
    assert double.seen == [2, 1]


def test_each_network_has_its_own_answers():
    remembered, double = RememberedWindows(), Doubled()
    first, second = torch.nn.Identity(), torch.nn.Identity()
    remembered.before(first, double)(windows(1))
    found = remembered.before(second, lambda some: {"PET": 3 * some[:, :1]})(windows(1))
    torch.testing.assert_close(found["PET"], 3 * windows(1)[:, :1])
    assert double.seen == [1]


def test_windows_are_kept_only_while_recording():
    remembered, double, network = RememberedWindows(), Doubled(), torch.nn.Identity()
    answer = remembered.before(network, double)
    answer(windows(1))
    remembered.learning = False
    answer(windows(1, 2))
    answer(windows(2))
    assert double.seen == [1, 1, 1]
