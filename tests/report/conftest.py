"""One report in one browser, for all tests that try the page."""

import re

import pytest
from browser import NASTY, opened
from reports import content
from slices import ready
from summaries import synthetic_summary

from ct2pet.report import report, sections


@pytest.fixture(scope="package")
def path(tmp_path_factory):
    """A report of five cases, two of them with pictures. Of the plots the training curves stand for all."""
    summary = synthetic_summary(5)
    for cases in (summary["cases"], summary["lesions"], *summary["baseline_cases"].values()):
        cases[NASTY] = cases.pop("case_001")
    curves = {"head": [{"epoch": float(epoch), "g_l1": 1.0 + epoch} for epoch in range(3)]}
    path = tmp_path_factory.mktemp("page") / "a report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "BOX_METRICS", ("mae", "ssim"))
        patch.setattr(sections, "AGREEMENT_QUANTITIES", ())
        report.write_report(path, summary, {NASTY: content(0), "case_002": content(1)}, curves=curves)
    return path


@pytest.fixture(scope="package")
def shared(chromium, path):
    """One tab for all that leave it as it was."""
    with opened(chromium, path) as tab:
        yield tab


@pytest.fixture
def tab(shared):
    """The tab with the viewer at the start: the first case, coronal, its middle slice."""
    shared.page.reload()
    ready(shared)
    yield shared
    assert shared.said == []
    assert {re.match("[a-z]+:", address)[0] for address in shared.asked} <= {"file:", "data:"}
    shared.asked.clear()
