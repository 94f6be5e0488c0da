import pytest
from summaries import synthetic_summary

from ct2pet.evaluation.comparing import compare_with_baselines, wording
from ct2pet.evaluation.comparing.comparison import Line


@pytest.mark.parametrize(
    ("p", "mark", "text"),
    [
        (None, "", "–"),
        (0.0009, "***", "<0.001"),
        (0.001, "**", "0.001"),
        (0.0099, "**", "0.010"),
        (0.01, "*", "0.010"),
        (0.049, "*", "0.049"),
        (0.05, "", "0.050"),
    ],
)
def test_marks_and_p_values(p, mark, text):
    assert wording.marks(p) == mark
    assert wording.p_text(p) == text


def test_names_for_people():
    baselines = compare_with_baselines(synthetic_summary(6))
    assert wording.model_title(baselines, "body_median") == "body median"
    assert wording.model_title(baselines, "my_model") == "my_model"
    assert wording.subject_title("whole_body") == "Whole body"
    assert wording.subject_title("organ:left_kidney") == "Left kidney"
    assert wording.subject_title("NSCLC") == "NSCLC"
    assert wording.subject_title("whole_volume") == "Whole volume with air"


def test_metrics_with_name_and_unit():
    assert [f(m) for m in ("mae", "psnr", "ssim") for f in (wording.metric_name, wording.metric_unit)] == [
        *("MAE", " SUV"),
        *("PSNR", " dB"),
        *("SSIM", ""),
    ]
    assert wording.metric_title("suv_mean_bias") == "|SUVmean bias| [%]"
    assert wording.metric_unit("suv_mean_bias") == "%"
    assert wording.metric_name("own_metric") == "own_metric"


def test_numbers():
    assert wording.plain("suv_mean_bias", 3.14) == "3.1"
    assert (wording.signed("mae", 0.25), wording.signed("mae", -0.25)) == ("+0.250", "-0.250")
    line = Line(
        "t", "s", "suv_mean_bias", False, {"a": {"mean": 3.0, "se": 0.55}, "b": {"mean": 3.0, "se": None}}, "a", {}
    )
    assert wording.mean_with_error(line, "a") == "3.0 ± 0.6"
    assert wording.mean_with_error(line, "b") == "3.0"
    assert wording.arrow(line) == "↓"
