import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy.ndimage import gaussian_filter, map_coordinates

from ct2pet.networks import gaussian_smooth, valid_mask, warp


def image_of(shape, seed=0):
    return torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(seed))


def field_of(shape, most, seed=1):
    """Displacements of up to ``most`` voxels along each axis."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(2, len(shape), *shape, generator=generator) * 2 - 1) * most


SHAPES = [(9, 12), (6, 7, 8)]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_displacement_changes_no_bit(shape):
    image = image_of(shape)
    assert torch.equal(warp(image, torch.zeros(2, len(shape), *shape)), image)


@pytest.mark.parametrize("shape", SHAPES)
def test_whole_voxels_move_the_image_and_air_comes_in(shape):
    image, field = image_of(shape), torch.zeros(2, len(shape), *shape)
    field[:, 0], field[:, 1] = 2, -1
    moved = warp(image, field)
    torch.testing.assert_close(moved[:, :, :-2, 1:], image[:, :, 2:, :-1])
    assert (moved[:, :, -2:] == 0).all()
    assert (moved[:, :, :, 0] == 0).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_linear_image_is_sampled_exactly(shape):
    grid = torch.stack(torch.meshgrid(*[torch.arange(float(n)) for n in shape], indexing="ij"))
    slopes = torch.tensor([0.7, -1.3, 2.1])[: len(shape)].view(-1, *[1] * len(shape))
    field = field_of(shape, 0.9)
    image = (grid * slopes).sum(0).expand(2, 1, *shape)
    inner = (..., *[slice(1, -1)] * len(shape))
    expected = ((grid + field) * slopes).sum(1, keepdim=True)
    torch.testing.assert_close(warp(image, field)[inner], expected[inner])


@pytest.mark.parametrize("shape", SHAPES)
def test_voxels_interpolated_from_inside_keep_their_value(shape):
    """A one stays a one where nothing of it is taken from beyond the image, and there alone."""
    field = field_of(shape, 3.0)
    inside = valid_mask(field)
    assert 0.1 < inside.float().mean() < 0.9
    torch.testing.assert_close(inside, warp(torch.ones(2, 1, *shape), field) > 1 - 1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_agrees_with_scipy(shape):
    image, field = image_of(shape), field_of(shape, 3.0)
    places = np.indices(shape) + field.numpy()
    for n in range(2):
        for c in range(3):
            expected = map_coordinates(image[n, c].numpy(), places[n], order=1, mode="grid-constant")
            np.testing.assert_allclose(warp(image, field)[n, c].numpy(), expected, atol=1e-5)


def test_it_agrees_with_simpleitk():
    """Whose components are in the order X, Y, Z; inside of the image, as both treat its edge differently."""
    shape = (6, 7, 8)
    image, field = image_of(shape)[:1, :1], field_of(shape, 0.9)[:1]
    components = np.moveaxis(field[0].numpy()[::-1], 0, -1).astype(np.float64)
    transform = sitk.DisplacementFieldTransform(sitk.GetImageFromArray(components, isVector=True))
    expected = sitk.GetArrayFromImage(sitk.Resample(sitk.GetImageFromArray(image[0, 0].numpy()), transform))
    np.testing.assert_allclose(
        warp(image, field)[0, 0].numpy()[1:-1, 1:-1, 1:-1], expected[1:-1, 1:-1, 1:-1], atol=1e-5
    )


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 3)])
def test_gradients_reach_image_and_displacement(shape):
    image = image_of(shape)[:, :1].double().requires_grad_()
    field = field_of(shape, 0.4).double().requires_grad_()
    with torch.autograd.set_detect_anomaly(True):
        warp(image, field).square().sum().backward()
    step = 1e-2
    for tensor, index in ((image, (0, 0, *[1] * len(shape))), (field, (1, 0, *[2] * len(shape)))):
        change = torch.zeros_like(tensor)
        change[index] = step

        def cost(sign, tensor=tensor, change=change):
            moved = [t + sign * change if t is tensor else t for t in (image, field)]
            return warp(*moved).square().sum().item()

        assert tensor.grad[index].item() == pytest.approx((cost(1) - cost(-1)) / (2 * step), rel=2e-2, abs=1e-3)


def test_a_mask_can_be_moved_and_a_field_of_another_shape_is_refused():
    mask = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    mask[..., 1:3, 1:3] = True
    field = torch.zeros(1, 2, 4, 4)
    field[:, 1] = 0.5
    assert warp(mask, field)[0, 0, 1].tolist() == [0.5, 1.0, 0.5, 0.0]
    with pytest.raises(ValueError, match="displacement"):
        warp(mask, field[:, :1])


@pytest.mark.parametrize("shape", SHAPES)
def test_smoothing_is_that_of_scipy_where_the_edge_is_far(shape):
    field, sigma = torch.zeros(1, len(shape), *[4 * n for n in shape]), [1.5, 0.8, 1.1][: len(shape)]
    field[(0, 0, *[2 * n for n in shape])] = 1.0
    field[(0, 1, *[2 * n + 1 for n in shape])] = -2.0
    for channel, expected in enumerate(gaussian_filter(f, sigma, truncate=3) for f in field[0].numpy()):
        np.testing.assert_allclose(gaussian_smooth(field, sigma)[0, channel].numpy(), expected, atol=2e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_smoothing_keeps_a_constant_up_to_the_edges_and_leaves_alone_what_it_shall(shape):
    constant = torch.full((2, len(shape), *shape), 1.7)
    torch.testing.assert_close(gaussian_smooth(constant, [2.5] * len(shape)), constant)
    field = field_of(shape, 2.0)
    assert torch.equal(gaussian_smooth(field, [0.0] * len(shape)), field)
    once = gaussian_smooth(field, [0.0, 1.5, 0.0][: len(shape)])
    assert once.diff(dim=3).abs().mean() < 0.6 * field.diff(dim=3).abs().mean()
