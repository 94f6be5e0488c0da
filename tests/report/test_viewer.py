import json
import re

from ct2pet.report.colours import hex_table
from ct2pet.report.viewer import PET_COLOURS, viewer
from ct2pet.report.volumes import CT_SCALE, PET_SCALE


def test_the_settings_are_those_of_the_volumes():
    (text,) = re.findall('<script type="application/json" id="viewer-settings">(.*?)</script>', viewer())
    settings = json.loads(text)
    assert (settings["ct"], settings["pet"]) == (CT_SCALE.table(), PET_SCALE.table())
    assert settings["colours"]["inferno"] == hex_table("inferno")
    assert settings["colours"]["error"] == hex_table("RdBu_r")
    assert (
        {choice["map"] for choice in settings["petColours"]} == set(PET_COLOURS) == {*settings["colours"]} - {"error"}
    )


def test_every_control_has_a_label():
    html = viewer()
    for control in re.findall(r"<(?:input|select)[^>]*>", html):
        before = html[: html.index(control)]
        assert before.rindex("<label") > (before.rindex("</label>") if "</label>" in before else -1), control
