import sys

import numpy as np
import pytest
import torch
from skimage.registration import optical_flow_ilk

from ct2pet.networks import gaussian_smooth, optical_flow, warp

module = sys.modules["ct2pet.networks.optical_flow"]  # the package has a function of that name
mean = module._mean


def blobs(*space, seed=0):
    noise = torch.randn(1, 1, *space, generator=torch.Generator().manual_seed(seed))
    return 1 + 3 * gaussian_smooth(noise, [2.0] * len(space))


def everywhere(image):
    return torch.ones(image.shape, dtype=torch.bool)


def shifted(image, *voxels):
    """The true field and what it makes of the image."""
    field = torch.tensor(voxels).view(1, -1, *[1] * len(voxels)).expand(1, len(voxels), *image.shape[2:])
    return field, warp(image, field)


def inner(field):
    """Away from the edges, where a moved image is empty."""
    return field[(slice(None), slice(None), *[slice(5, -5)] * (field.ndim - 2))]


@pytest.mark.parametrize("voxels", [(0.8, -1.1), (0.5, -0.4, 0.9)])
def test_a_shift_is_found(voxels):
    image = blobs(*[24] * len(voxels))
    true, fixed = shifted(image, *voxels)
    flow = optical_flow(image, fixed, everywhere(image), [5.0] * len(voxels))
    assert inner(flow - true).abs().mean() < 0.1


def test_a_field_that_changes_slowly_is_found_as_well_as_by_scikit_image():
    image = blobs(40, 40)
    wave = torch.sin(torch.arange(40.0) / 12)
    true = torch.stack([wave.expand(40, 40), wave[:, None].expand(40, 40)])[None]
    fixed = warp(image, true)
    ours = optical_flow(image, fixed, everywhere(image), [3.0, 3.0])
    theirs = torch.from_numpy(optical_flow_ilk(fixed[0, 0].numpy(), image[0, 0].numpy(), radius=5))[None]
    errors = [inner(flow - true).norm(dim=1).mean() for flow in (ours, theirs)]
    assert errors[0] < 0.2
    assert errors[0] < 1.2 * errors[1]


def test_the_flow_of_an_image_to_itself_is_zero():
    image = blobs(16, 16)
    assert (optical_flow(image, image, everywhere(image), [3.0, 3.0]) == 0).all()


def test_the_flow_does_not_depend_on_brightness():
    """Patients take up more or less than the generator can know."""
    image = blobs(32, 32)
    true, fixed = shifted(image, 0.7, -0.5)
    for lies, expected in ((image, torch.zeros_like(true)), (fixed, true)):
        flow = optical_flow(image, 1.3 * lies, everywhere(image), [6.0, 6.0])
        assert inner(flow - expected).norm(dim=1).mean() < 0.1


def test_pixels_without_weight_have_no_influence():
    image = blobs(24, 24)
    weight = everywhere(image)
    weight[..., 12:] = False
    _, fixed = shifted(image, 0.7, 0.0)
    fixed = torch.where(weight, fixed, 9.0)
    other = torch.where(weight, fixed, -4.0)
    flows = [optical_flow(image, f, weight, [4.0, 4.0]) for f in (fixed, other)]
    torch.testing.assert_close(*flows)
    assert abs(flows[0][:, 0, 5:-5, 3:9].mean() - 0.7) < 0.2


def test_a_lesion_in_one_image_alone_moves_it_less_than_by_least_squares(monkeypatch):
    image = blobs(32, 32)
    true, fixed = shifted(image, 0.6, -0.6)
    fixed = fixed.clone()
    fixed[..., 14:18, 14:18] += 5
    errors = []
    for factor in (1, 1000):
        monkeypatch.setattr(module, "_mean", lambda *given, f=factor: f * mean(*given))
        flow = optical_flow(image, fixed, everywhere(image), [6.0, 6.0])
        errors.append(inner(flow - true).norm(dim=1).mean())
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.parametrize("image", [torch.zeros(2, 1, 8, 8), torch.full((2, 1, 8, 8), 3.0)])
def test_an_image_without_gradients_or_weights_has_zero_flow(image):
    for fixed, weight in ((image, torch.ones(image.shape)), (image + 1, torch.ones(image.shape))):
        assert (optical_flow(image, fixed, weight, [2.0, 2.0]).abs() < 1e-3).all()
    assert (optical_flow(image, blobs(8, 8).expand(2, 1, 8, 8), torch.zeros(image.shape), [2.0, 2.0]) == 0).all()


def test_samples_do_not_know_of_each_other():
    images, moved = torch.cat([blobs(16, 16), 50 * blobs(16, 16, seed=1)]), torch.cat([blobs(16, 16, seed=2)] * 2)
    together = optical_flow(images, moved, everywhere(images), [3.0, 3.0])
    alone = [optical_flow(i[None], m[None], everywhere(i[None]), [3.0, 3.0]) for i, m in zip(images, moved)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_no_gradient_passes():
    image = blobs(8, 8).requires_grad_()
    assert not optical_flow(image, blobs(8, 8), everywhere(image), [2.0, 2.0]).requires_grad


def test_the_solution_is_that_of_numpy():
    random = np.random.default_rng(0)
    roots = random.normal(size=(7, 3, 3))
    matrices, right = roots @ roots.transpose(0, 2, 1) + np.eye(3), random.normal(size=(7, 3))
    lower = [[torch.from_numpy(matrices[:, i, j]) for j in range(i + 1)] for i in range(3)]
    result = torch.stack(module._solved(lower, [*torch.from_numpy(right).unbind(1)]), dim=1)
    np.testing.assert_allclose(result.numpy(), np.linalg.solve(matrices, right[..., None])[..., 0], rtol=1e-6)
