import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor

from ct2pet.files import write_json


def test_a_file_has_the_permissions_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "plans.json", {})
        assert os.umask(0o027) == 0o027  # reading the umask did not change it
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "plans.json").stat().st_mode) == 0o640


def test_files_that_threads_write_at_once_have_the_permissions_of_the_umask(tmp_path, monkeypatch):
    set_umask = os.umask

    def slowly(mask):
        before = set_umask(mask)
        time.sleep(0.005)  # another thread runs
        return before

    before = set_umask(0o027)
    monkeypatch.setattr(os, "umask", slowly)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: write_json(tmp_path / f"{number}.json", {}), range(12)))
        assert set_umask(0o027) == 0o027
    finally:
        set_umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o640}
