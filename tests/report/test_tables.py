import re

from summaries import grouped_summary, synthetic_summary

from ct2pet.evaluation.names import region_title
from ct2pet.report import tables

SUMMARY = synthetic_summary(6)
ANCHORS = {case: f"case-{index}" for index, case in enumerate(SUMMARY["cases"])}


def rows_of(html):
    """The rows of the first table as (text, sort value) pairs."""
    body = html[html.index("<tbody>") : html.index("</tbody>")]
    return [
        [
            (re.sub("<[^>]+>", "", text), "".join(re.findall('data-value="([^"]*)"', attributes)))
            for attributes, text in re.findall("<t[hd]([^>]*)>(.*?)</t[hd]>", row)
        ]
        for row in re.findall("<tr>(.*?)</tr>", body)
    ]


def header_of(html):
    return re.findall('<th scope="col">(.*?)</th>', html[: html.index("</thead>")])


def test_each_metric_has_a_table_with_all_four_baselines():
    html = tables.tables_by_metric(SUMMARY)
    options = re.findall("<option[^>]*>(.*?)</option>", html)
    assert options[:3] == ["MAE [SUV]", "RMSE [SUV]", "PSNR [dB]"]
    assert "MAE volume [SUV]" in options
    assert not any("real" in option or "fake" in option for option in options)
    assert header_of(html)[-4:] == ["zeros", "body median", "real PET, blurred *", "real PET, shifted *"]


def test_a_region_shows_mean_interval_median_and_baselines():
    found = SUMMARY["mean"]["head"]["mae"]
    (row,) = [row for row in rows_of(tables.tables_by_metric(SUMMARY)) if row[0][0] == "head"]
    assert row[1] == ("6", "6")
    assert row[2] == (f"{found['mean']:.3f} ± {found['se']:.3f}", repr(found["mean"]))
    assert row[3][0] == " … ".join(f"{end:.3f}" for end in found["ci95"])
    assert row[4][0] == f"{found['median']:.3f} [{found['q25']:.3f} … {found['q75']:.3f}]"
    values = [SUMMARY["baselines"][name]["head"]["mae"] for name in ("zeros", "body_median", "blurred", "shifted")]
    assert row[5:] == [(f"{value:.3f}", repr(value)) for value in values]


def test_organs_are_folded_away():
    html = tables.tables_by_metric(SUMMARY)
    regions = [row[0][0] for row in rows_of(html)]
    assert regions == ["whole body", "head", "trunk", "arms", "legs", "lesions"]
    folded = html[html.index("<summary>2 organs") :]
    assert [row[0][0] for row in rows_of(folded)] == ["liver (organ)", "brain (organ)"]


def test_tables_have_a_column_for_another_model():
    other = synthetic_summary(6, seed=1)
    html = tables.tables_by_metric(SUMMARY, ("other", other))
    column = header_of(html).index("other")
    assert rows_of(html)[0][column][1] == repr(other["mean"]["whole_body"]["mae"]["mean"])


def test_undefined_values_are_a_dash_and_sorted_last():
    alone = synthetic_summary(1)  # one case, which has no lesion: no error of the mean, no interval
    rows = {row[0][0]: row for row in rows_of(tables.tables_by_metric(alone))}
    assert rows["head"][3] == ("–", "")
    assert rows["lesions"][2] == ("–", "")
    assert rows["lesions"][4] == ("–", "")


def test_minus_signs_are_minus_signs():
    assert tables.number("suv_mean_bias", -12.34) == tables.Cell("−12.3", -12.34)
    assert tables.number("suv_mean_bias", 12.34).text == "+12.3"


def test_diagnoses_are_side_by_side():
    rows = rows_of(tables.group_table(SUMMARY))
    assert [row[0][0] for row in rows] == ["lung cancer", "lymphoma", "none"]
    found = SUMMARY["groups"]["lymphoma"]["whole_body"]["mae"]
    assert rows[1][1:3] == [("2", "2"), (f"{found['mean']:.3f} ± {found['se']:.3f}", repr(found["mean"]))]
    assert tables.group_table({**SUMMARY, "groups": {}}) == ""


def test_lesions_found_by_threshold():
    html = tables.detection_table(SUMMARY)
    found = SUMMARY["detection"]
    rows = rows_of(html)
    assert [row[0][0] for row in rows] == [f"SUV ≥ {threshold:g}" for threshold in found["thresholds_suv"]]
    shares = found["curves"]["prediction"]["sensitivity"]
    assert [float(row[2][1]) for row in rows] == shares
    assert rows[0][2][0] == f"{shares[0]:.0%}"
    assert [float(row[4][1]) for row in rows] == found["curves"]["prediction"]["false_positives"]
    assert "9 lesions in 6 scans, of which 1 have none" in html
    assert tables.detection_table(synthetic_summary(1)) == ""


def test_every_lesion_and_every_case_leads_to_its_case():
    html = tables.lesion_table(SUMMARY, ANCHORS)
    rows = rows_of(html)
    assert len(rows) == SUMMARY["detection"]["lesions"]
    assert rows[0][0][0] == "case_000, 1"
    lesion = SUMMARY["lesions"]["case_000"][0]
    assert float(rows[0][3][1]) == lesion["real_suv_max"]
    assert float(rows[0][4][1]) == lesion["fake_suv_max"]
    assert set(re.findall('href="#([^"]+)"', html)) == {f"case-{index}" for index in range(5)}
    assert tables.lesion_table(synthetic_summary(1), ANCHORS) == ""
    cases = tables.case_table(SUMMARY, ANCHORS)
    assert re.findall('href="#([^"]+)"', cases) == list(ANCHORS.values())
    assert rows_of(cases)[-1][-1] == ("–", "")


def test_a_case_shows_all_its_numbers():
    regions = SUMMARY["cases"]["case_001"]
    rows = rows_of(tables.numbers_of_case(regions))
    assert [row[0][0] for row in rows] == [region_title(region) for region in regions]
    assert float(rows[1][1][1]) == regions["head"]["mae"]


def test_groups_of_lesions_have_columns():
    summary = grouped_summary()
    groups = summary["detection"]["curves"]["prediction"]["by_group"]
    html = tables.detection_table(summary)
    assert header_of(html)[-2:] == ["Detected, hidden", "Detected, shown"]
    at_4 = summary["detection"]["thresholds_suv"].index(4.0)
    shares = [group["sensitivity"][at_4] for group in (groups["hidden"], groups["shown"])]
    assert [cell[0] for cell in rows_of(html)[at_4][-2:]] == [f"{100 * share:.0f}%" for share in shares]
    lesions = tables.lesion_table(summary, ANCHORS)
    assert header_of(lesions)[-1] == "Group"
    own = [one["group"] for case in summary["lesions"].values() for one in case]
    assert [row[-1][0] for row in rows_of(lesions)] == own
    assert "Group" not in header_of(tables.lesion_table(SUMMARY, ANCHORS))
