"""Trees as hospitals and archives export them: what is found in them, and what is left out under which name."""

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from dicom_files import CT_GRID, Study, ct_series, localiser, new_object, pet_series, put, secondary_capture, write
from dicom_pairs import pair_all

from ct2pet.dicom.folders import only_series
from ct2pet.dicom.headers import PET
from ct2pet.dicom.tree import scan_tree
from ct2pet.errors import DatasetError


def reasons(tree):
    return {item.path.relative_to(tree.root).as_posix(): item.reason for item in tree.left_out}


def sizes(tree):
    return sorted((series.kind, len(series.headers)) for series in tree.series)


def test_series_of_mixed_patients_in_one_folder_of_files_without_extension_are_found(tmp_path):
    other = Study("PAT2")
    for number, (study, make) in enumerate(
        [(Study(), ct_series), (Study(), pet_series), (Study().later(), ct_series), (other, ct_series)]
    ):
        write(make(study), tmp_path / "a b" / "Müller Ångström", f"IM{number}{{:03d}}")
    tree = scan_tree(tmp_path)
    assert sizes(tree) == [("CT", 12), ("CT", 12), ("CT", 12), ("PET", 9)]
    assert tree.left_out == ()
    assert {(s.first.patient, s.first.study) for s in tree.series} == {
        *(("PAT1", s.StudyInstanceUID) for s in (ct_series()[0], ct_series(Study().later())[0])),
        ("PAT2", ct_series(other)[0].StudyInstanceUID),
    }


def test_names_everything_that_it_leaves_out(tmp_path):
    paths = write(ct_series(), tmp_path / "ct")
    shutil.copytree(tmp_path / "ct", tmp_path / "copy")
    write(localiser(), tmp_path, "scout{}")
    write(secondary_capture(), tmp_path, "screen{}")
    write([new_object("1.2.840.10008.5.1.4.1.1.88.67", Study(), "Dose", "SR")], tmp_path, "dose{}")
    write([new_object("1.2.840.10008.5.1.4.1.1.4", Study(), "MR", "MR")], tmp_path, "mr{}")
    write([new_object("1.2.840.10008.1.3.10", Study(), "", "")], tmp_path, "DICOMDIR{}")
    write([new_object("1.2.3.4.5", Study(), "", "")], tmp_path, "private{}")
    write(ct_series(Study("PAT3"), Modality="NM")[:1], tmp_path, "wrong_modality{}")
    write(pet_series(Study("PAT4"), SeriesType=["STATIC", "REPROJECTION"])[:1], tmp_path, "mip{}")
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "cut_off.dcm").write_bytes(paths[0].read_bytes()[:700])
    (tmp_path / "broken_link").symlink_to(tmp_path / "nowhere")
    tree = scan_tree(tmp_path)
    assert sizes(tree) == [("CT", 12)]
    assert tree.num_files == 24 + 3 + 6 + 3
    found = reasons(tree)
    assert Counter(found.values())["a copy of another file (same SOPInstanceUID)"] == 12
    assert found["scout0"] == found["scout1"] == "a localiser (scout)"
    assert found["screen0"] == "not a CT or PET image (Secondary Capture Image Storage)"
    assert found["dose0"] == "not a CT or PET image (X-Ray Radiation Dose SR Storage)"
    assert found["mr0"] == "not a CT or PET image (MR Image Storage)"
    assert found["DICOMDIR0"] == "a DICOMDIR"
    assert found["private0"] == "an unknown kind of DICOM object"
    assert found["wrong_modality0"] == "an object of the class CT Image Storage whose Modality is not CT"
    assert found["mip0"] == "a projection"
    assert found["empty.dcm"] == "an empty file"
    assert found["notes.txt"] == "not a DICOM file"
    assert found["cut_off.dcm"].startswith("a DICOM file without a") or "truncated" in found["cut_off.dcm"]
    assert found["broken_link"] == "not a regular file (a broken link, a device)"


GARBLED = b"1.2.8\xff0.1\x0c008.5/1.4.1.1.2"


@pytest.mark.parametrize(
    "keyword", ["SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "Modality"]
)
def test_garbled_values_let_no_warnings_out(tmp_path, keyword, recwarn, caplog):
    for path in write(ct_series(), tmp_path):
        content = path.read_bytes()
        value = ct_series()[0][keyword].value.encode()
        start = content.rindex(value) if keyword == "Modality" else content.rindex(value[:20])
        garbled = (GARBLED * 4)[: len(value)]
        path.write_bytes(content[:start] + garbled + content[start + len(value) :])
    tree = scan_tree(tmp_path)
    assert len(recwarn) == len(caplog.records) == 0
    if keyword == "SOPClassUID":
        assert {item.reason for item in tree.left_out} == {"a DICOM file with an invalid SOPClassUID: damaged"}
        assert all(item.damaged for item in tree.left_out)


def test_reads_data_sets_without_preamble_and_file_meta_information(tmp_path):
    for index, dataset in enumerate(ct_series()):
        del dataset.file_meta, dataset.preamble
        dataset.save_as(tmp_path / str(index), implicit_vr=True, little_endian=True)
    assert b"DICM" not in (tmp_path / "0").read_bytes()
    assert sizes(scan_tree(tmp_path)) == [("CT", 12)]


def test_different_images_under_one_uid_are_no_copies(tmp_path):
    datasets = ct_series()
    for dataset in datasets:
        put(dataset, {"SOPInstanceUID": "1.2.3"})
        dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    write(datasets, tmp_path)
    assert sizes(scan_tree(tmp_path)) == [("CT", 12)]


def test_files_of_macos_are_ignored_and_images_with_such_names_are_not(tmp_path):
    paths = write(pet_series(), tmp_path / "pet")
    for path in paths[1:]:
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + bytes(4000))
    (tmp_path / "pet" / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")
    (tmp_path / "pet" / "._empty.dcm").touch()
    paths[0].rename(tmp_path / "pet" / "._image.dcm")
    tree = scan_tree(tmp_path)
    assert tree.left_out == ()
    assert [len(series.headers) for series in tree.series] == [len(paths)]
    assert len(only_series(tmp_path, PET).headers) == len(paths)
    (exam,), _ = pair_all(tmp_path, ct=ct_series())
    assert (exam.notes, exam.incomplete) == ((), ())


def test_follows_links_to_folders_and_ends_where_they_are_circles(tmp_path):
    write(ct_series(), tmp_path / "elsewhere" / "ct")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "circle").symlink_to(tmp_path / "tree")
    assert sizes(scan_tree(tmp_path / "tree")) == [("CT", 12)]


@pytest.fixture
def open_folder():
    """A folder that other users can reach: those of pytest they cannot."""
    folder = os.path.realpath(os.path.join("/tmp", f"ct2pet-{os.getpid()}"))
    os.mkdir(folder, 0o755)
    yield folder
    shutil.rmtree(folder)


def test_unreadable_files_are_named(open_folder):
    root = Path(open_folder)
    write(ct_series(), root / "ct")
    (root / "ct" / "0005.dcm").chmod(0)
    (root / "secret").mkdir(mode=0)
    user = os.geteuid()
    try:
        if user == 0:  # the superuser may read everything
            os.seteuid(65534)
        tree = scan_tree(root)
    finally:
        os.seteuid(user)
    assert reasons(tree) == {
        "ct/0005.dcm": "no permission to read",
        "secret": "a folder without read permission",
    }
    assert sizes(tree) == [("CT", 11)]


def test_a_missing_or_empty_folder_and_a_file_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        scan_tree(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="no readable files"):
        scan_tree(tmp_path)
    (tmp_path / "image.dcm").touch()
    with pytest.raises(DatasetError, match=r"image\.dcm: is a file; give its folder"):
        scan_tree(tmp_path / "image.dcm")


def test_a_tag_that_cannot_be_read_is_not_quoted(tmp_path):
    paths = write(ct_series(), tmp_path)
    content = paths[3].read_bytes()
    spoilt = content.replace(b"\x20\x00\x32\x00DS\x12\x00-17.0\\", b"\x20\x00\x32\x00DS\x12\x00JANE^\\")
    paths[3].write_bytes(spoilt if spoilt != content else content.replace(b"-17.0\\", b"JANE^\\", 1))
    assert paths[3].read_bytes() != content
    tree = scan_tree(tmp_path)
    assert reasons(tree) == {paths[3].name: "a damaged DICOM file (its ImagePositionPatient cannot be read)"}


def test_shows_a_progress_bar_on_request(tmp_path, capsys):
    write(ct_series(grid=CT_GRID)[:2], tmp_path)
    scan_tree(tmp_path)
    assert capsys.readouterr().err == ""
    scan_tree(tmp_path, progress=True)
    assert "Reading headers" in capsys.readouterr().err


def test_a_tree_of_20000_files(tmp_path):
    write(ct_series(), tmp_path / "ct")
    (tmp_path / "notes").write_text("no image")
    for folder in range(20):
        (tmp_path / f"{folder:02d}").mkdir()
        for number in range(1000):
            os.link(tmp_path / "notes", tmp_path / f"{folder:02d}" / f"{number:03d}")
    tree = scan_tree(tmp_path)
    assert tree.num_files == 20013
    assert sizes(tree) == [("CT", 12)]
    assert Counter(reasons(tree).values()) == {"not a DICOM file": 20001}
