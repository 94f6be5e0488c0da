import copy
import html
import re

from summaries import synthetic_summary

from ct2pet.evaluation.comparing import compare
from ct2pet.report.versus import comparison_tables, p_text


def worse(summary, factor):
    other = copy.deepcopy(summary)
    for index, regions in enumerate(other["cases"].values()):
        for metrics in regions.values():
            if metrics.get("mae") is not None:
                metrics["mae"] *= factor + index / 100
    return other


def row_of(html, name):
    row = re.search(rf'<tr><th scope="row">{name}</th>(.*?)</tr>', html)[1]
    return [(text, value) for value, text in re.findall('<td data-value="([^"]*)"[^>]*>(.*?)</td>', row)]


def test_a_row_states_the_better_model_the_difference_and_its_certainty():
    summary = synthetic_summary(14)
    comparison = compare({"ours": summary, "theirs": worse(summary, 1.2)})
    row = row_of(comparison_tables(comparison), "head")
    (line,) = [line for line in comparison.lines if (line.subject, line.metric) == ("head", "mae")]
    test = line.differences["theirs"].test
    assert row[0] == ("14", "14")
    assert [float(value) for _, value in row[1:3]] == [line.numbers[name]["mean"] for name in ("ours", "theirs")]
    assert row[3] == (f"+{test.mean:.3f}", repr(test.mean))
    assert row[4][0] == f"+{test.ci95[0]:.3f} … +{test.ci95[1]:.3f}"
    assert row[5] == (html.escape(p_text(line.differences["theirs"].p)), repr(line.differences["theirs"].p))
    assert row[6][0] == f"{test.cohens_dz:+.2f}"
    assert row[7][0] == "ours"


def test_every_metric_has_its_table_and_names_are_text():
    summary = synthetic_summary(4)
    html = comparison_tables(compare({"a": summary, "<b>": worse(summary, 0.8)}))
    assert "<b>" not in html
    titles = re.findall("<option[^>]*>(.*?)</option>", html)
    assert titles[:2] == ["MAE [SUV]", "PSNR [dB]"]
    assert html.count("<table") == len(titles)
    assert "&lt;b&gt;</th>" in html
    assert row_of(html, "head")[7][0] == "–"  # four cases prove nothing


def test_biases_are_compared_by_their_absolute_value():
    summary = synthetic_summary(4)
    comparison = compare({"a": summary, "b": worse(summary, 1.1)}, ("suv_mean_bias",))
    assert not row_of(comparison_tables(comparison), "head")[1][0].startswith(("+", "-", "−"))


def test_p_values():
    assert [p_text(p) for p in (None, 0.00012, 0.0312, 1.0)] == ["–", "< 0.001", "0.031", "1.000"]
