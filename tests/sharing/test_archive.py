import json
import os
import stat
import zipfile

import pytest
from whole_pipeline import killed_until_done, partial_files

from ct2pet.errors import Ct2PetError
from ct2pet.sharing import Manifest, is_package, unpack, unpacked, write_package
from ct2pet.sharing.archive import MANIFEST

FOLDER = "Dataset001_Tiny/pix2pix__ct2petPlans__low"
FILES = {
    "MODEL_CARD.md": b"# a card\n",
    f"{FOLDER}/plans.json": b"{}",
    f"{FOLDER}/dataset.json": b"{}",
    f"{FOLDER}/fold_all/checkpoint_final.pth": bytes(range(256)) * 4096 * 2,
    f"{FOLDER}/fold_0/provenance.json": b"{}",
}
ABOUT = Manifest("Dataset001_Tiny", "pix2pix", "ct2petPlans", "checkpoint_final.pth", {"low": ["all"]}, "0.1.0")


@pytest.fixture
def package(tmp_path):
    for name, content in FILES.items():
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_bytes(content)
    write_package(tmp_path / "model.zip", tmp_path / "source", ABOUT)
    return tmp_path / "model.zip"


def changed(package, change):
    """Another archive with the members of the package (info, content) as ``change`` gives them."""
    with zipfile.ZipFile(package) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    path = package.with_name("changed.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in change(members):
            archive.writestr(info, content)
    return path


def listed(members, name, content):
    """The members, and one more that the manifest lists correctly."""
    import hashlib

    manifest = json.loads(dict((info.filename, text) for info, text in members)[MANIFEST])
    manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    rest = [(info, text) for info, text in members if info.filename != MANIFEST]
    return [(zipfile.ZipInfo(MANIFEST), json.dumps(manifest)), *rest, (zipfile.ZipInfo(name), content)]


def content_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_packed_model_is_unpacked(package, tmp_path):
    manifest = unpack(package, tmp_path / "out")
    assert content_of(tmp_path / "out") == FILES
    assert {name: facts.bytes for name, facts in manifest.files.items()} == {
        name: len(content) for name, content in FILES.items()
    }
    assert manifest.configurations == {"low": ["all"]}
    with unpacked(package) as folder:
        assert content_of(folder) == FILES
    assert not folder.exists()


def test_an_archive_does_not_depend_on_the_date(package, tmp_path):
    before = package.read_bytes()
    for path in (tmp_path / "source").rglob("*"):
        os.utime(path, (10**9, 10**9))
    write_package(package, tmp_path / "source", ABOUT)
    assert package.read_bytes() == before


def test_a_file_that_no_model_has_is_never_packed(package, tmp_path):
    (tmp_path / "source" / FOLDER / "case1.nii.gz").touch()
    with pytest.raises(ValueError, match=r"case1\.nii\.gz"):
        write_package(tmp_path / "other.zip", tmp_path / "source", ABOUT)
    assert not (tmp_path / "other.zip").exists()


def test_killed_while_writing_it_leaves_nothing_under_the_name(package, tmp_path, monkeypatch):
    target = tmp_path / "new" / "model.zip"
    assert killed_until_done(lambda: write_package(target, tmp_path / "source", ABOUT), monkeypatch) == 1
    assert target.read_bytes() == package.read_bytes()
    assert len(partial_files(target.parent)) == 1  # of the killed one


@pytest.mark.parametrize(
    "name",
    ["../evil.pth", "/etc/evil", f"{FOLDER}/../../../evil", "C:/evil", r"..\evil", r"Dataset001_Tiny\evil", "C:evil"],
)
def test_a_member_outside_the_folder_is_refused_before_anything_is_written(package, tmp_path, name):
    evil = changed(package, lambda members: listed(members, name, b"evil"))
    with pytest.raises(Ct2PetError, match=r"changed\.zip: .*evil.* would be written outside the model's folder"):
        unpack(evil, tmp_path / "deep" / "out")
    assert not (tmp_path / "deep").exists()
    assert not list(tmp_path.rglob("evil*"))


def test_a_link_is_refused(package, tmp_path):
    def link(members):
        info = zipfile.ZipInfo(f"{FOLDER}/fold_1/provenance.json")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        return [*listed(members, info.filename, b"/etc/passwd")[:-1], (info, b"/etc/passwd")]

    with pytest.raises(Ct2PetError, match="is not a regular file"):
        unpack(changed(package, link), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda members: listed(members, f"{FOLDER}/case1.nii.gz", b"x"), "is not part of a model"),
        (lambda members: listed(members, f"{FOLDER}/PLANS.json", b"x"), "two members have the same name"),
        (
            lambda members: [*members, (zipfile.ZipInfo(f"{FOLDER}/fold_1/x.pth"), b"x")],
            "is not listed in its manifest",
        ),
        (lambda members: members[:-1], "is missing"),
        (lambda members: members[1:], r"no model\.json in it"),
        (lambda members: [(info, text[:-1] + b"!") for info, text in members], r"model\.json cannot be read"),
        (
            lambda members: [(info, text.replace(b'n": 1', b'n": 2')) for info, text in members],
            "format_version 2 is not supported",
        ),
        (
            lambda members: [(i, b"x" + t[1:] if i.filename.endswith(".pth") else t) for i, t in members],
            "has another checksum",
        ),
        (
            lambda members: [(i, t + b"x" if i.filename.endswith(".md") else t) for i, t in members],
            "has another checksum",
        ),
    ],
)
def test_an_archive_that_was_changed_is_refused(package, tmp_path, change, problem):
    with pytest.raises(Ct2PetError, match=f"changed.zip: .*{problem}"):
        unpack(changed(package, change), tmp_path / "out")


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"no zip", lambda b: b""])
def test_a_file_that_is_not_whole_is_one_clear_line(package, tmp_path, damage):
    package.write_bytes(damage(package.read_bytes()))
    with pytest.raises(Ct2PetError, match=r"model\.zip: not a zip archive, or incomplete"):
        unpack(package, tmp_path / "out")
    assert not is_package(package)


def test_a_flipped_bit_anywhere_is_found(package, tmp_path):
    """In the weights, the text and the manifest; some bits of a zip's own headers are never read."""
    whole = package.read_bytes()
    for place in (*range(45, 345, 20), whole.index(bytes(range(256))) + 300_000):
        package.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(Ct2PetError, match=r"model\.zip: "):
            unpack(package, tmp_path / f"out{place}")


def test_a_package_is_distinguished_from_other_files(package, tmp_path):
    assert is_package(package)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("x", "y")
    assert not is_package(tmp_path / "other.zip")
    assert not is_package(tmp_path / "missing.zip")
    with pytest.raises(Ct2PetError, match="no such file"):
        unpack(tmp_path / "missing.zip", tmp_path / "out")
