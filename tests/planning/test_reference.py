from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fingerprints import GAN, description, district, fingerprint

from ct2pet.dataset.description import WHOLE_BODY
from ct2pet.districts import SegmenterIdentity
from ct2pet.errors import PlansError
from ct2pet.models.cyclegan import CycleGAN
from ct2pet.models.ldos import LDOS
from ct2pet.models.lesion_regression import LesionRegression
from ct2pet.models.medscangan import MedScanGAN
from ct2pet.models.pix2pix import Pix2Pix
from ct2pet.models.regc2p import RegC2P
from ct2pet.networks.resnet_generator import ResNetGenerator
from ct2pet.planning import reference
from ct2pet.planning.configuration import Normalization
from ct2pet.planning.planner import PlanRequest, plan_experiment
from ct2pet.planning.plans import Plans
from ct2pet.planning.reference import is_reference, reference_names, reference_plans

PAPER = "paper_2503_15555"
METHODS = {"pix2pix": GAN, "cyclegan": GAN}


def paper_plans(seen=None, requirements=None):
    return reference_plans(PAPER, fingerprint(head=seen or district()), description(), requirements or METHODS)


def test_a_name_similar_to_reference_plans_is_refused():
    assert is_reference(PAPER)
    assert not any(is_reference(name) for name in ("ct2petPlans", "coarsePlans", "plansOf001", "mine"))
    with pytest.raises(PlansError, match=rf"^-p paper_2503_1555: .*similar .*, {PAPER}, .*; did you mean {PAPER}[?]$"):
        is_reference("paper_2503_1555")
    with pytest.raises(PlansError, match=r"^-p medscangan_64: .*did you mean medscangan_64mm[?]"):
        is_reference("medscangan_64")
    with pytest.raises(
        PlansError, match="not a name for new plans, because it is similar to reference plans; there are: "
    ):
        is_reference("paper_x")


def test_the_papers_decisions():
    chosen = paper_plans().configuration("head")
    assert chosen.patch_size == [32, 32, 32]
    assert chosen.tile_overlap * 32 == 16
    assert chosen.window_weights == "uniform"  # sum over windows / number of windows
    assert chosen.batch_size == 1
    assert chosen.normalization["PET"] == Normalization(0.0, 20.0, True, [0.0, 1.0])
    assert chosen.masking.kind == "hard"
    assert chosen.augmentation.rotation_degrees == [10.0] * 3
    assert chosen.augmentation.flip_axes == [0, 1, 2]
    assert chosen.augmentation.noise_std == 0.01
    assert chosen.networks["discriminator"].arguments["num_strided_layers"] == 2
    assert paper_plans().blend_mm == 0.0


def test_the_papers_training_reaches_the_method():
    planned = paper_plans(requirements={**METHODS, "pix2pix": Pix2Pix.requirements})
    numbers = Pix2Pix(
        planned.configuration("head"), planned.all_fields, planned.hyperparameters("pix2pix")
    ).hyperparameters
    assert (numbers.num_epochs, numbers.decay_epochs) == (150, 50)
    assert (numbers.learning_rate, numbers.beta1, numbers.beta2) == (2e-4, 0.5, 0.999)
    assert numbers.discriminator_learning_rate == 2e-4
    assert (numbers.clip_norm, numbers.adversarial_loss) == (5.0, "bce")
    assert (numbers.lambda_l1, numbers.lambda_l2) == (100.0, 0.0)


def test_a_method_that_the_paper_does_not_name_keeps_its_own_numbers():
    assert paper_plans(requirements={**METHODS, "other": GAN}).models["other"] == dict(GAN.hyperparameters)


def test_reference_plans_record_the_segmenter_of_the_district_maps():
    rules = SegmenterIdentity("rules", "1", {})
    seen = replace(fingerprint(head=district()), segmenters=[rules])
    assert reference_plans(PAPER, seen, description(), METHODS).segmenters == [rules]


def test_the_fingerprint_fills_in_what_depends_on_the_data():
    chosen = paper_plans(district((3.0, 2.0, 2.0), (300, 200, 100), (-800.0, 900.0))).configuration("head")
    assert chosen.spacing == [3.0, 2.0, 2.0]
    assert chosen.median_shape == [100, 100, 50]
    assert chosen.labels == [1]
    assert (chosen.normalization["CT"].lower, chosen.normalization["CT"].upper) == (-800.0, 900.0)
    assert chosen.patch_size == [32, 32, 32]


def test_reference_plans_are_plans(tmp_path):
    planned = paper_plans()
    planned.save(tmp_path / "plans.json")
    assert Plans.load(tmp_path / "plans.json") == planned


def test_unknown_names_are_refused_with_the_known_ones():
    assert PAPER in reference_names()
    with pytest.raises(PlansError, match=f"-p other: .*{PAPER}"):
        reference_plans("other", fingerprint(head=district()), description(), METHODS)


def test_a_dataset_that_the_papers_methods_cannot_take_is_refused():
    low_dose = description(channel_names={}, targets={"PET": {}})
    with pytest.raises(PlansError, match=f"{PAPER}: pix2pix takes at least 1 input image"):
        reference_plans(PAPER, fingerprint(head=district()), low_dose, METHODS)


def ldos_plans(**organs):
    targets = {
        "PET": {"kind": "pet", "unit": "SUVbw g/ml"},
        "organs": {"kind": "labels", "folder": "organs", "labels": organs},
    }
    fields = {"channel_names": {"0": "PET_low"}, "kinds": {"PET_low": "pet"}, "targets": targets}
    low_dose = description({}, dose_fraction=0.05, **fields)
    percentiles = {name: {"0.5": 0.0, "5": 0.0, "50": 1.0, "95": 5.0, "99.5": 8.0} for name in ("PET_low", "PET")}
    seen = replace(district(), percentiles=percentiles)
    found = fingerprint(**{WHOLE_BODY: seen})
    return reference_plans("paper_ldos", found, low_dose, {**METHODS, "ldos": LDOS.requirements})


def test_ldos_is_planned_as_in_its_paper_and_in_nnu_net():
    planned = ldos_plans(liver=1, spleen=2)
    (chosen,) = planned.configurations.values()
    assert (chosen.patch_size, chosen.batch_size) == ([192] * 3, 2)
    network = chosen.networks["shared_encoder"].arguments
    assert network["features_per_stage"] == [32, 64, 128, 256, 320, 320]
    assert network["n_blocks_per_stage"] == [1, 3, 4, 6, 6, 6]
    assert network["deep_supervision"]
    numbers = LDOS(chosen, planned.all_fields, planned.hyperparameters("ldos")).hyperparameters
    assert (numbers.num_epochs, numbers.optimizer, numbers.learning_rate) == (500, "sgd", 1e-2)
    assert (numbers.momentum, numbers.weight_decay, numbers.clip_norm) == (0.99, 3e-5, 12.0)
    assert (numbers.schedule, numbers.residual) == ("polynomial", False)


def test_organs_with_a_side_are_not_mirrored_left_and_right():
    flips = [
        next(iter(ldos_plans(**organs).configurations.values())).augmentation.flip_axes
        for organs in ({"kidney": 1}, {"kidney_left": 1, "kidney_right": 2})
    ]
    assert flips == [[2], []]


def medscangan_of(name, monkeypatch):
    monkeypatch.setattr(reference, "_folder", lambda: Path(__file__).parents[2] / "plans")
    targets = {"PET": {"kind": "pet", "unit": "SUVbw g/ml"}}
    labelled = description({}, channel_names={}, targets=targets, conditions={"diagnosis": ["benign", "malignant"]})
    seen = replace(district(), percentiles={"PET": {"0.5": 0.0, "5": 0.0, "50": 1.0, "95": 5.0, "99.5": 8.0}})
    found = fingerprint(**{WHOLE_BODY: seen})
    planned = reference_plans(name, found, labelled, {"medscangan": MedScanGAN.requirements})
    (chosen,) = planned.configurations.values()
    return chosen, MedScanGAN(chosen, planned.all_fields, planned.hyperparameters("medscangan"))


@pytest.mark.parametrize("name", ["paper_medscangan", "paper_medscangan_dcgan"])
def test_medscangan_has_slices_of_256_pixels_that_grow_from_4(name, monkeypatch):
    chosen, model = medscangan_of(name, monkeypatch)
    assert chosen.slices.patch_size == [256, 256]
    assert model.generator.first_map[1:] == (4, 4)
    assert model.generator.latent_size == 256
    numbers = model.hyperparameters
    assert (numbers.learning_rate, numbers.critic_learning_rate, numbers.beta1, numbers.beta2) == (1e-4, 4e-4, 0.0, 0.9)
    assert (numbers.lambda_penalty, numbers.n_critic, numbers.num_epochs) == (10.0, 5, 500)
    assert (numbers.loss, numbers.spectral_norm) == ("wgan_gp", True)
    assert (numbers.log_suv, numbers.augment_critic, numbers.lambda_diversity) == (False, False, 0.0)


def test_medscangans_plans_are_of_its_two_methods(monkeypatch):
    numbers = medscangan_of("paper_medscangan", monkeypatch)[1].hyperparameters
    assert (numbers.variant, numbers.class_head) == ("cgan", "auxiliary")
    dcgan = medscangan_of("paper_medscangan_dcgan", monkeypatch)[1]
    assert dcgan.hyperparameters.variant == "dcgan"
    transposed = [one for one in dcgan.generator.of_class[0] if isinstance(one, torch.nn.ConvTranspose2d)]
    assert len(dcgan.generator.of_class) == 2
    assert [one.stride for one in transposed] == [(2, 2)] * 6  # from 4 to 256 pixels


STRICT = "paper_2503_15555_strict"


def strict_plans():
    seen = fingerprint(head=district(), whole_body=district())
    needs = {**METHODS, "pix2pix": Pix2Pix.requirements, "cyclegan": CycleGAN.requirements}
    return reference_plans(STRICT, seen, description(), needs)


def test_the_strict_plans_differ_from_the_other_plans():
    head, whole = (strict_plans().configuration(name) for name in ("head", WHOLE_BODY))
    usual = paper_plans().configuration("head")
    assert (head.normalization["CT"].scope, head.normalization["CT"].range) == ("image", [0.0, 1.0])
    assert head.augmentation.noise_std == usual.augmentation.noise_std  # of a range half as wide
    assert (head.tile_layout, usual.tile_layout) == ("regular", "fitted")
    assert (head.masking.kind, whole.masking.kind) == ("hard", "none")
    for method in ("pix2pix", "cyclegan"):
        numbers = strict_plans().hyperparameters(method)
        assert (numbers["loss_region"], numbers["initialization"]) == ("patch", "normal")
    cyclegan = CycleGAN(head, strict_plans().all_fields, strict_plans().hyperparameters("cyclegan"))
    assert isinstance(cyclegan.generator, ResNetGenerator)


def test_a_target_is_never_mapped_by_its_own_extremes(tmp_path):
    content = strict_plans().to_json()
    content["configurations"]["head"]["normalization"]["PET"]["scope"] = "image"
    with pytest.raises(PlansError, match="normalization of PET needs the scope dataset"):
        Plans.from_json(content)


def test_regc2p_is_planned_with_slices_as_in_its_paper():
    needs = {**METHODS, "regc2p": RegC2P.requirements}
    planned = reference_plans("paper_regc2p", fingerprint(head=district()), description(), needs)
    chosen = planned.configuration("head")
    assert chosen.slices.patch_size == [256, 256]
    assert chosen.tile_overlap > 0  # of stacks
    slices, refinement = RegC2P(chosen, planned.all_fields, planned.hyperparameters("regc2p")).stages.values()
    numbers = slices.hyperparameters
    assert (numbers.lambda_correction, numbers.lambda_smooth, numbers.lambda_adversarial) == (20.0, 10.0, 1.0)
    assert not numbers.initial_flow
    assert numbers.field_sigma_mm == 0
    assert all(p.ndim in (1, 4) for p in slices.generator.parameters())
    assert any(p.ndim == 5 for p in refinement.generator.parameters())


def test_plans_may_fix_spacing_and_leave_sampling_to_the_planner(monkeypatch):
    """medscangan_64mm: slices of 64 mm around lesions, whatever the PET's voxels."""
    monkeypatch.setattr(reference, "_folder", lambda: Path(__file__).parents[2] / "plans")
    targets = {"PET": {"kind": "pet"}, "CT": {"kind": "ct"}}
    labelled = description(
        districts={}, channel_names={}, targets=targets, conditions={"diagnosis": ["benign", "malignant"]}
    )
    found = fingerprint(**{WHOLE_BODY: district((3.0, 4.0, 4.0), (60.0, 96.0, 96.0))})
    planned = reference_plans("medscangan_64mm", found, labelled, {"medscangan": MedScanGAN.requirements})
    chosen = planned.configuration(WHOLE_BODY)
    assert (chosen.spacing, chosen.median_shape) == ([3.0, 2.0, 2.0], [20, 48, 48])
    assert [n * mm for n, mm in zip(chosen.slices.patch_size, chosen.spacing[1:])] == [64.0, 64.0]
    assert (chosen.sampling.lesion_fraction, chosen.sampling.balanced_over) == (1.0, "diagnosis")
    assert chosen.sampling.lesions_centred
    assert (chosen.normalization["CT"].lower, chosen.normalization["CT"].upper) == (-1000.0, 400.0)
    numbers = MedScanGAN(chosen, planned.all_fields, planned.hyperparameters("medscangan")).hyperparameters
    assert (numbers.loss, numbers.class_head, numbers.num_epochs) == ("r3gan", "projection", 40)


@pytest.mark.parametrize(("name", "arm"), [("lesion_unet", "lesion_unet"), ("small_lesions", "lesion_head")])
def test_plans_for_lesions_are_those_that_the_benchmark_measures(monkeypatch, name, arm):
    """The configuration and the numbers of the arms of benchmarks/lesions.py."""
    monkeypatch.setattr(reference, "_folder", lambda: Path(__file__).parents[2] / "plans")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from variants import VARIANTS

    seen, arm = district((6.5, 6.5, 6.5)), VARIANTS[arm]
    methods = {"lesion_regression": LesionRegression.requirements}
    planned = reference_plans(name, fingerprint(trunk=seen), description(), methods)
    default = plan_experiment(fingerprint(trunk=seen), description(), {**methods, "pix2pix": GAN}, PlanRequest())
    measured = arm.change(default.configuration("trunk"), seen)
    chosen, measured = (
        replace(one, networks={"generator": one.network("generator")})
        for one in (planned.configuration("trunk"), measured)
    )
    assert chosen == replace(measured, slices=None)
    assert planned.blend_mm == default.blend_mm
    numbers = planned.hyperparameters("lesion_regression")
    assert numbers == {**LesionRegression.requirements.hyperparameters, **arm.numbers}
