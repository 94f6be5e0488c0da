"""All classifiers fit the contract; optional ones say what they need where it is missing."""

import subprocess
import sys
import textwrap
from importlib.metadata import EntryPoint

import pytest
import torch
from torch import nn

import ct2pet.plugins
from ct2pet.errors import PluginError
from ct2pet.study.classifiers import classifier_names, load_classifier
from ct2pet.study.classifiers.base import Classifier, KeepBatchAxis, optional_module

ALWAYS = ("resnet18", "small_cnn", "vgg16")
# What the compiled part of torchvision registers; a torchvision of another torch cannot load that part.
REGISTERED = """
import torch
for name in ("nms", "qnms"):
    try:
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:
        pass
"""


def test_the_classifiers_of_the_papers_are_there():
    assert {*ALWAYS, "mobilenet", "yolov8_cls"} <= set(classifier_names())


@pytest.mark.parametrize("name", ALWAYS)
@pytest.mark.parametrize("number", [1, 3])
def test_images_become_logits_and_gradients_reach_every_weight(name, number):
    classifier = load_classifier(name)
    network = classifier.build(2, 3).eval()
    images = torch.randn(number, 2, classifier.least_pixels, classifier.least_pixels)
    logits = network(images)
    assert logits.shape == (number, 3)
    logits.pow(2).sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())
    torch.testing.assert_close(network(images[:1]), logits[:1], atol=1e-4, rtol=1e-3)


def test_a_batch_of_one_keeps_its_axis():
    squeezing = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(0))
    assert KeepBatchAxis(squeezing)(torch.ones(1, 4, 8, 8)).shape == (1, 4)


@pytest.mark.parametrize("name", ["mobilenet", "yolov8_cls"])
def test_optional_classifiers_work_where_their_package_is_installed(name):
    package = {"mobilenet": "torchvision", "yolov8_cls": "ultralytics"}[name]
    script = REGISTERED + textwrap.dedent(
        f"""
        import importlib.util
        if not importlib.util.find_spec("{package}"):
            raise SystemExit(5)
        from ct2pet.study.classifiers import load_classifier
        network = load_classifier("{name}").build(2, 2)
        images = torch.randn(3, 2, 64, 64)
        assert network.train()(images).shape == (3, 2)
        logits = network.eval()(images)
        assert logits.shape == (3, 2) and not torch.allclose(logits.sum(dim=1), torch.ones(3), atol=1e-3)
        assert any(isinstance(module, torch.nn.Linear) for module in network.modules())
        """
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    if run.returncode == 5:
        pytest.skip(f"{package} is not installed")
    assert run.returncode == 0, run.stderr


def test_a_missing_package_is_named_with_the_way_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    with pytest.raises(PluginError, match=r"yolov8_cls needs ultralytics.*pip install 'ct2pet\[yolov8\]'.*AGPL-3\.0"):
        load_classifier("yolov8_cls").build(1, 2)


def test_a_package_that_does_not_fit_is_named(tmp_path, monkeypatch):
    (tmp_path / "unfit_vision.py").write_text("raise RuntimeError('operator nms does not exist\\nmore')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        PluginError, match=r"^mobilenet needs unfit_vision.*operator nms does not exist.*pip install it$"
    ):
        optional_module("unfit_vision", "mobilenet", "pip install it")


def test_a_users_own_classifier_is_found_through_its_entry_point(tmp_path, monkeypatch):
    (tmp_path / "own_classifier.py").write_text(
        "from torch import nn\n"
        "from ct2pet.study.classifiers.base import Classifier\n"
        "OWN = Classifier(lambda channels, classes: nn.Sequential(nn.Flatten(), nn.LazyLinear(classes)))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("own", "own_classifier:OWN", "ct2pet.study.classifiers")
    monkeypatch.setattr(ct2pet.plugins, "entry_points", lambda group: [point] if group == point.group else [])
    assert "own" in classifier_names()
    assert isinstance(load_classifier("own"), Classifier)


def test_an_entry_point_that_is_no_classifier_is_named(monkeypatch):
    point = EntryPoint("own", "builtins:len", "ct2pet.study.classifiers")
    monkeypatch.setattr(ct2pet.plugins, "entry_points", lambda group: [point] if group == point.group else [])
    with pytest.raises(PluginError, match=r"'own' is no ct2pet\.study\.classifiers\.base\.Classifier"):
        load_classifier("own")
