from summaries import synthetic_summary

from ct2pet.evaluation import names


def test_columns_come_in_blocks_and_no_measurement_among_them():
    metrics = synthetic_summary(2)["mean"]["whole_body"]
    errors, biases, volume = names.column_blocks(metrics)
    assert errors == ["mae", "rmse", "psnr", "ssim", "ms_ssim", "ccc", "mae_best_shift"]
    assert biases == ["suv_mean_bias", "suv_max_bias", "suv_peak_bias"]
    assert volume == ["mae_volume", "rmse_volume", "psnr_volume", "ssim_volume"]
    assert names.column_blocks(["own", "mae", "real_suv_max"]) == [["mae", "own"]]
    assert names.column_blocks(["dice", "hd95", "real_volume_ml"]) == []


def test_every_column_has_a_header_with_its_unit():
    assert names.HEADERS["tlg41_bias"] == "TLG 41% bias [%]"
    assert names.HEADERS["real_mtv4"] == "MTV SUV ≥ 4 real [ml]"
    assert names.HEADERS["fake_suv_peak"] == "SUVpeak fake [SUV]"
    for metrics in synthetic_summary(2)["mean"].values():
        assert set(metrics) <= set(names.HEADERS)


def test_numbers_as_people_read_them():
    assert names.value_text("mae", None) == "–"
    assert names.value_text("suv_max_bias", 3.14) == "+3.1"
    assert names.value_text("psnr_volume", 31.416) == "31.42"
    assert names.value_text("hd95", 3.14159) == "3.14"
    assert names.mean_text("mae", {"mean": 0.5, "se": None}) == "0.500"
    assert names.mean_text("suv_mean_bias", {"mean": -3.0, "se": 0.25}) == "-3.0 ± 0.2"


def test_regions_have_names_for_people():
    regions = ("whole_body", "organ:small_bowel", "arms")
    assert [names.region_title(region) for region in regions] == ["whole body", "small bowel (organ)", "arms"]


def test_labels_are_distinguished_from_districts_by_the_colon():
    regions = ("whole_body", "lesions", "trunk", "organ:liver", "vertebrae:L1")
    assert [name for name in regions if names.is_label(name)] == ["organ:liver", "vertebrae:L1"]
