import html
import re

from summaries import label_summary, synthetic_summary

from ct2pet.report.methods import methods_section

PREDICTION = {
    "model": "pix2pix",
    "plans_name": "mine",
    "ct2pet_version": "1.2",
    "trained": {name: {"fold_0": {"num_training_cases": 12}} for name in ("head", "trunk")},
}


def text_and_references(summary):
    section = html.unescape(methods_section(summary))
    return " ".join(re.findall("<p>(.*?)</p>", section)), re.findall("<li>(.*?)</li>", section)


def test_every_citation_has_its_reference_in_the_order_of_the_text():
    text, references = text_and_references(synthetic_summary(8, provenance={"prediction": PREDICTION}))
    cited = [int(number) for found in re.findall(r"\[([\d, ]+)\]", text) for number in found.split(", ")]
    assert sorted(set(cited)) == list(range(1, len(references) + 1))
    assert list(dict.fromkeys(cited)) == sorted(set(cited))
    assert references[0].startswith("Isola P")
    for words in (
        "Pix2Pix [1]",
        "ct2pet 1.2, plans mine",
        "each of head, trunk",
        "with 12 cases",
        "8 cases were evaluated",
    ):
        assert words in text


def test_methods_of_few_cases_describe_no_test():
    text, references = text_and_references(synthetic_summary(4))
    assert "fewer than 6 cases neither intervals nor tests" in text
    assert not any(one.startswith(("Holm", "Efron")) for one in references)


def test_only_what_was_measured_is_described():
    text, _ = text_and_references(label_summary())
    assert "Dice" in text
    for absent in ("structural similarity", "SUVmean", "in SUV", "Images were predicted"):
        assert absent not in text
