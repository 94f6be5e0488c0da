"""The page of a reader study, as files and in a real browser."""

import base64
import io
import json
import re

import numpy as np
import pytest
from browser import opened
from PIL import Image

from ct2pet.errors import Ct2PetError
from ct2pet.study.reader_study.page import ReaderStudyOptions, make_reader_study

NUMBER = 6
PHONE = {"viewport": {"width": 375, "height": 667}, "has_touch": True, "is_mobile": True}


def write_images(folder, shift):
    """Pictures whose first pixel says which one they are: the number, and 100 more for synthetic ones."""
    folder.mkdir()
    random = np.random.default_rng(shift)
    for index in range(NUMBER):
        image = random.integers(0, 256, (32, 32), dtype=np.uint8)
        image[0, 0] = index + shift
        Image.fromarray(image).save(folder / f"SECRET_{folder.name}_{index}.png")
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The page, its key and the pixels of its images."""
    folder = tmp_path_factory.mktemp("reader")
    real, synthetic = write_images(folder / "real", 0), write_images(folder / "synthetic", 100)
    page, key = folder / "out" / "page.html", folder / "out" / "key.json"
    make_reader_study(real, synthetic, page, key, ReaderStudyOptions(NUMBER, 3))
    return page, json.loads(key.read_text())


def shown_images(page):
    text = page.read_text(encoding="utf-8")
    (data,) = re.findall(r'<script type="application/json" id="study">(.*?)</script>', text)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(image)))) for image in json.loads(data)["images"]]


def test_the_key_names_each_image_rightly(study):
    page, key = study
    images = shown_images(page)
    assert [("synthetic" if image[0, 0] >= 100 else "real") for image in images] == key["images"]
    assert sorted(int(image[0, 0]) for image in images) == [*range(NUMBER), *range(100, 100 + NUMBER)]


def test_real_and_synthetic_images_are_mixed(study):
    kinds = study[1]["images"]
    assert kinds != sorted(kinds)
    assert kinds != sorted(kinds, reverse=True)


def test_the_page_does_not_hold_the_answers(study):
    """Without its images it is the same text as a page with other kinds in another order."""
    page, key = study
    text = re.sub(r'"images": \[.*?\]', "", page.read_text(encoding="utf-8"))
    for word in ("SECRET", str(key["images"]), json.dumps(key["images"]), '"seed"'):
        assert word not in text
    assert "real" in text  # the buttons
    lengths = {len(image) for image in re.findall(r'"(iVBOR[^"]+)"', page.read_text(encoding="utf-8"))}
    assert len(lengths) == 1


def test_a_reader_study_is_determined_by_options_and_seed(study, tmp_path):
    page, key = study
    folder = page.parents[1]
    for name, seed in (("same", 3), ("other", 4)):
        options = ReaderStudyOptions(NUMBER, seed)
        make_reader_study(
            folder / "real", folder / "synthetic", tmp_path / f"{name}.html", tmp_path / f"{name}.json", options
        )
    assert (tmp_path / "same.html").read_bytes() == page.read_bytes()
    assert json.loads((tmp_path / "other.json").read_text())["study"] != key["study"]


def test_files_are_neither_overwritten_nor_laid_among_the_images(study, tmp_path):
    page, _ = study
    folder, options = page.parents[1], ReaderStudyOptions(NUMBER)
    real, synthetic = folder / "real", folder / "synthetic"
    with pytest.raises(Ct2PetError, match=r"page\.html: exists already"):
        make_reader_study(real, synthetic, page, tmp_path / "key.json", options)
    with pytest.raises(Ct2PetError, match="would lie among the images"):
        make_reader_study(real, synthetic, real / "page.html", tmp_path / "key.json", options)
    with pytest.raises(Ct2PetError, match="in the same folder"):
        make_reader_study(real, real, tmp_path / "page.html", tmp_path / "key.json", options)
    with pytest.raises(Ct2PetError, match="need two files"):
        make_reader_study(real, synthetic, tmp_path / "page.html", tmp_path / "page.html", options)
    assert [*tmp_path.iterdir()] == []


def place(tab):
    return tab.run("document.querySelector('#place').textContent")


def saved(tab, path):
    with tab.page.expect_download() as download:
        tab.page.locator("#save").click()
    download.value.save_as(path)
    return json.loads(path.read_text())


def test_the_keyboard_answers_and_a_reload_keeps_the_answers(chromium, study, tmp_path):
    page, key = study
    with opened(chromium, page) as tab:
        assert place(tab) == "Image 1 of 12, 0 answered"
        for digit in "143":
            tab.page.keyboard.press(digit)
        assert place(tab) == "Image 4 of 12, 3 answered"
        tab.page.keyboard.press("ArrowLeft")
        tab.page.keyboard.press("2")  # another answer to the third image
        tab.page.locator("#reader").fill("R 1/a4")
        tab.page.reload()
        assert place(tab) == "Image 4 of 12, 3 answered"
        tab.page.keyboard.press("ArrowLeft")
        assert tab.run("document.querySelector('[aria-pressed=true]').dataset.rating") == "2"
        answers = saved(tab, tmp_path / "answers.json")
        assert answers == {"study": key["study"], "reader": "R 1/a4", "ratings": [1, 4, 2, *[0] * 9]}
        assert [message for message in tab.said if "error" in message.lower()] == []
        assert [address for address in tab.asked if not address.startswith(("file:", "data:", "blob:"))] == []


def test_digits_in_the_readers_code_are_no_answers(chromium, study):
    with opened(chromium, study[0]) as tab:
        tab.page.locator("#reader").focus()
        tab.page.keyboard.type("1234")
        assert place(tab) == "Image 1 of 12, 0 answered"


def test_the_browser_shows_the_image_that_is_asked_about(chromium, study):
    images = shown_images(study[0])
    script = """async () => {
        const image = document.querySelector("#image");
        await image.decode();
        const canvas = document.createElement("canvas");
        canvas.width = image.naturalWidth;
        canvas.height = image.naturalHeight;
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        return [...context.getImageData(0, 0, canvas.width, canvas.height).data].filter((_, index) => index % 4 === 0);
    }"""
    with opened(chromium, study[0]) as tab:
        for image in images[:3]:
            np.testing.assert_array_equal(tab.run(script), image.ravel())
            tab.page.keyboard.press("ArrowRight")


def test_on_a_phone_everything_fits_and_a_touch_answers(chromium, study):
    with opened(chromium, study[0], **PHONE) as tab:
        assert tab.run("document.documentElement.scrollWidth <= innerWidth")
        for button in tab.page.locator("button").all():
            box = button.bounding_box()
            assert min(box["width"], box["height"]) >= 44
        tab.page.locator("[data-rating='4']").tap()
        assert place(tab) == "Image 2 of 12, 1 answered"
        image = tab.page.locator("#image").bounding_box()
        answers = tab.page.locator("#answers").bounding_box()
        assert image["width"] > 250
        assert answers["y"] > image["y"] + image["height"]


def test_unanswered_images_are_found_and_the_ends_hold(chromium, study):
    with opened(chromium, study[0]) as tab:
        for _ in range(3):
            tab.page.keyboard.press("1")
        tab.page.keyboard.press("ArrowLeft")
        tab.page.keyboard.press("ArrowLeft")
        tab.page.locator("#open").click()
        assert place(tab) == "Image 4 of 12, 3 answered"
        for _ in range(20):
            tab.page.keyboard.press("ArrowRight")
        assert place(tab) == "Image 12 of 12, 3 answered"
        tab.page.keyboard.press("3")
        assert place(tab) == "Image 12 of 12, 4 answered"
        assert tab.page.locator("#next").is_disabled()
