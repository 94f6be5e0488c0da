import pytest

from ct2pet.suggestions import did_you_mean

KNOWN = ("--num_epochs", "-gpu_memory_target", "pix2pix", "CycleGAN")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--num_epoch", "--num_epochs"),
        ("-num_epochs", "--num_epochs"),
        ("--num-epochs", "--num_epochs"),
        ("--gpu_memory", "-gpu_memory_target"),
        ("pixpix", "pix2pix"),
        ("cyclegan", "CycleGAN"),
    ],
)
def test_a_typo_leads_to_the_name(word, meant):
    assert did_you_mean(word, KNOWN) == f"; did you mean {meant}?"


@pytest.mark.parametrize("word", ["", "--x", "segmentation"])
def test_a_word_unlike_all_others_gets_no_suggestion(word):
    assert did_you_mean(word, KNOWN) == ""
    assert did_you_mean(word, []) == ""
