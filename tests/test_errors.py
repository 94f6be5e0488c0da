import errno
import pickle

import pytest

from ct2pet.errors import CasesFailed, Ct2PetError, WriteError


def test_a_write_error_is_an_error_of_the_system_with_its_own_text():
    error = WriteError("a.json: cannot be written", OSError(errno.ENOSPC, "No space left on device", "/tmp/x"))
    for one in (error, pickle.loads(pickle.dumps(error))):
        assert str(one) == "a.json: cannot be written"
        assert (one.errno, one.strerror) == (errno.ENOSPC, "No space left on device")
        with pytest.raises(OSError, match=r"a\.json"):
            raise one
        assert isinstance(one, Ct2PetError)


def test_failed_cases_are_named_one_a_line_in_order():
    error = CasesFailed({"b": "no PET", "a": "truncated"}, some_done=True)
    first, *lines = str(error).splitlines()
    assert first.startswith("2 case(s)")
    assert lines == ["a: truncated", "b: no PET"]
    assert error.failures == {"a": "truncated", "b": "no PET"}
    assert error.some_done
