from tiny import FIELDS

from ct2pet.sharing import Manifest, ModelFacts, TrainingFacts, ValidationFacts, model_card

MANIFEST = Manifest("Dataset001_Tiny", "pix2pix", "ct2petPlans", "checkpoint_final.pth", {"low": ["0", "1"]}, "0.1.0")
TRAININGS = [
    TrainingFacts("low", "0", 12, 100, [4.0, 2.5, 2.5], [64, 48, 48]),
    TrainingFacts("low", "1", None, None, [4.0, 2.5, 2.5], [64, 48, 48]),
]


def rows(card, title):
    section = card.split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if set(line) - set("|- ")]


def test_every_number_has_its_row_and_its_unit():
    validations = [ValidationFacts("low", "0", 0.31234, 3)]
    card = model_card(ModelFacts(MANIFEST, FIELDS, {"low": 1, "high": 2}, TRAININGS, validations))
    assert rows(card, "Inputs and outputs") == [
        ["", "name", "kind", "unit"],
        ["input", "CT", "ct", "HU"],
        ["output", "PET", "pet", "SUVbw g/ml"],
    ]
    assert rows(card, "Training")[1:] == [
        ["low", "0", "12", "100", "4, 2.5, 2.5", "64, 48, 48"],
        ["low", "1", "unknown", "unknown", "4, 2.5, 2.5", "64, 48, 48"],
    ]
    assert rows(card, "Validation") == [["configuration", "fold", "MAE [SUV]", "cases"], ["low", "0", "0.312", "3"]]
    assert "low 1, high 2" in card
    assert "it predicts PET from CT" in card


def test_a_card_states_unknown_facts_and_excluded_uses():
    card = model_card(ModelFacts(MANIFEST, FIELDS, {}, TRAININGS, [], {"licence": "CC BY 4.0"}, {"torch": "2.6"}))
    assert "This model has no record of errors on cases" in card
    assert "not a medical device" in card
    assert "Dataset: licence CC BY 4.0." in card
    assert "Software: torch 2.6." in card
    assert "ct2pet_predict -i INPUT -o OUTPUT -d Dataset001_Tiny -m pix2pix -p ct2petPlans" in card
