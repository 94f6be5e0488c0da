"""The web site of the documentation: it is built without a warning and without a network, and pages load nothing."""

import html
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import ct2pet

pytest.importorskip("material", reason="mkdocs-material is not installed")
pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed")

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "documentation").rglob("*.md"))
# A name that is looked up or a connection that is opened ends the build. mkdocs looks up no name of its own.
BUILD = """
import socket, sys
def refuse(*arguments, **options):
    raise AssertionError(f"the build opens a connection: {arguments}")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from mkdocs.__main__ import cli
cli(["build", "--strict", "--site-dir", sys.argv[1]])
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documentation") / "site"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", BUILD, str(folder)]
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def page_of(site, path):
    name = path.relative_to(ROOT / "documentation").with_suffix("")
    return site / "index.html" if name == Path("index") else site / name / "index.html"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_page_is_in_the_site_and_has_a_title(site, path):
    title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    shown = re.search(r"<h1[^>]*>(.*?)<a ", page_of(site, path).read_text(encoding="utf-8"), re.DOTALL)[1]
    assert html.unescape(re.sub("<[^>]+>", "", shown)).strip() == title.replace("`", "")


def test_every_public_name_has_its_signature_and_docstring_on_the_page_of_the_api(site):
    text = page_of(site, ROOT / "documentation" / "reference" / "api.md").read_text(encoding="utf-8")
    shown = set(re.findall(r'<h3 id="ct2pet\.(\w+)"', text))
    assert shown == {*ct2pet.__all__} - {"__version__"}
    plain = html.unescape(re.sub(r"<[^>]+>", "", text))
    for function in (ct2pet.split, ct2pet.verify_dataset, ct2pet.convert_dicom):
        assert " ".join(words(function.__doc__)[:8]) in " ".join(words(plain))


def words(text):
    return re.sub(r"[`*]", "", text).split()


class Loads(HTMLParser):
    """The addresses that a browser loads when it shows a page; links that a reader clicks are not among them."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.addresses.append(found.get("src") or "")
        if tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload", "preconnect"):
            self.addresses.append(found["href"])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_pages_load_only_files_of_the_site(site, path):
    page = page_of(site, path)
    loads = Loads()
    loads.feed(page.read_text(encoding="utf-8"))
    local = [address for address in loads.addresses if address]
    assert len(local) >= 3
    assert all((page.parent / address.split("?")[0]).resolve().is_file() for address in local), local
