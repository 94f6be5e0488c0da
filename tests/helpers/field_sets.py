"""Fields beyond paired CT and PET: a second input, a label map to predict, a condition."""

from tiny import CT_WINDOW, FIELDS, SUV_WINDOW

from ct2pet.dataset import Field, Fields
from ct2pet.dataset.fields import CATEGORY, CONDITION, INPUT, LABELS, PET, TARGET

LOW_PET = Field("low_PET", INPUT, PET, "SUVbw g/ml", "images", "_0001")
ORGANS = Field("organ_labels", TARGET, LABELS, "label", "labels", labels={"liver": 1, "spleen": 2, "heart": 3})
SEX = Field("sex", CONDITION, CATEGORY, labels={"F": 0, "M": 1})

TWO_INPUTS = Fields((FIELDS["CT"], LOW_PET, FIELDS["PET"]))
WITH_LABELS = Fields((FIELDS["CT"], FIELDS["PET"], ORGANS))
ALL_FIELDS = Fields((FIELDS["CT"], LOW_PET, FIELDS["PET"], ORGANS, SEX))
WINDOWS = {"CT": CT_WINDOW, "low_PET": SUV_WINDOW, "PET": SUV_WINDOW}
