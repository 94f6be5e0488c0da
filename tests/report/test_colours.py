import re

from matplotlib import colormaps

from ct2pet.report.colours import colour_table, gradient, hex_table


def test_tables_are_those_of_matplotlib():
    table = colour_table("inferno")
    assert len(table) == 256
    for index in (0, 100, 255):
        assert table[index] == tuple(int(v) for v in colormaps["inferno"](index, bytes=True)[:3])
    text = hex_table("gray")
    assert len(text) == 6 * 256
    assert [text[:6], text[6 * 128 : 6 * 129], text[-6:]] == ["000000", "808080", "ffffff"]


def test_gradients_run_from_end_to_end():
    stops = re.findall("#[0-9a-f]{6}", gradient("gray_r"))
    assert [stops[0], stops[-1], len(stops)] == ["#ffffff", "#000000", 17]
