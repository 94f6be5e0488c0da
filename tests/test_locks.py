import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import filelock
import hold_lock
import psutil
import pytest

from ct2pet.errors import Ct2PetError, WriteError
from ct2pet.locks import LOCK_FILE, OWNER_FILE, folder_lock


@contextmanager
def other_process(folder):
    """Another process that works in the folder, and has a child."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, hold_lock.__file__, str(folder)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    children = []
    try:
        assert process.stdout.readline() == "locked\n"
        children = psutil.Process(process.pid).children()
        yield process
    finally:
        for one in [process, *children]:
            one.kill()
        process.wait()


def enter(folder):
    with folder_lock(folder, "a prediction"):
        return sorted(path.name for path in folder.iterdir())


def test_a_second_process_is_refused_with_the_number_of_the_first(tmp_path):
    folder = tmp_path / "fold_0"
    with other_process(folder) as process:
        with pytest.raises(Ct2PetError, match=rf"fold_0: process {process.pid} .*\(a training\); wait") as caught:
            enter(folder)
        assert "another machine" not in str(caught.value)
        assert enter(tmp_path / "fold_1")  # other folders are free
        record = (folder / OWNER_FILE).read_text()
    assert {*json.loads(record)} == {"process", "since", "what"}
    assert socket.gethostname() not in record


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_killed_process_is_free(tmp_path, number):
    with other_process(tmp_path) as process:
        process.send_signal(number)
        process.wait()
        assert (tmp_path / OWNER_FILE).exists()
        assert enter(tmp_path) == [LOCK_FILE, OWNER_FILE]
    assert list(tmp_path.iterdir()) == []


def test_the_lock_ends_with_the_block_and_leaves_nothing(tmp_path):
    def fail():
        with folder_lock(tmp_path, "a training"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert enter(tmp_path)
    assert enter(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_second_block_of_the_same_process_is_refused(tmp_path):
    with folder_lock(tmp_path, "a training"), pytest.raises(Ct2PetError, match=f"process {os.getpid()} uses"):
        enter(tmp_path)


def test_only_one_of_many_threads_gets_the_lock(tmp_path):
    entered, refused, all_tried = [], [], threading.Barrier(8)

    def one():
        try:
            with folder_lock(tmp_path, "a training"):
                entered.append(1)
                all_tried.wait(60)
        except Ct2PetError:
            refused.append(1)
            all_tried.wait(60)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(entered), len(refused)) == (1, 7)


def test_a_lock_of_another_machine_is_reported_with_the_remedy_for_a_stale_one(tmp_path):
    with other_process(tmp_path) as process:
        owner = json.loads((tmp_path / OWNER_FILE).read_text())
        for change in (
            {"since": owner["since"] - 1000},
            {"process": 2**22 + 1},
        ):  # another process of that number; none
            (tmp_path / OWNER_FILE).write_text(json.dumps({**owner, **change}))
            with pytest.raises(Ct2PetError, match=rf"of another machine .* remove .*/{LOCK_FILE}$"):
                enter(tmp_path)
        for damaged in ("", "[]", "{}", '{"process": "x", "since": 0, "what": 1}'):
            (tmp_path / OWNER_FILE).write_text(damaged)
            with pytest.raises(Ct2PetError, match="another process is using this folder; wait"):
                enter(tmp_path)
        assert process.poll() is None


def refuse_with(monkeypatch, number):
    def acquire(self):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)


def test_a_file_system_without_locks_is_reported_and_the_work_is_done(tmp_path, monkeypatch, capsys):
    refuse_with(monkeypatch, errno.ENOSYS)
    assert enter(tmp_path) == []
    assert "no locks (Function not implemented); run one command at a time" in capsys.readouterr().err


def test_an_unwritable_folder_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=r"file/\.ct2pet-lock: cannot be written"):
        enter(tmp_path / "file")
    refuse_with(monkeypatch, errno.EACCES)
    with pytest.raises(WriteError, match=r"\.ct2pet-lock: no permission to write; remove this file"):
        enter(tmp_path)
