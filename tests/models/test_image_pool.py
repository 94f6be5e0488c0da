import torch

from ct2pet.models._image_pool import ImagePool


def numbered(first, count):
    """Fakes whose voxels hold their own number."""
    return torch.arange(first, first + count, dtype=torch.float32).view(-1, 1, 1, 1, 1).expand(-1, 1, 2, 2, 2)


def numbers(images):
    return [int(image.unique()) for image in images]


def test_an_image_pool_returns_each_image_until_it_is_full():
    pool = ImagePool(5)
    assert numbers(pool.exchange(numbered(0, 3))) == [0, 1, 2]
    assert numbers(pool.exchange(numbered(3, 2))) == [3, 4]
    assert numbers(pool.images) == [0, 1, 2, 3, 4]


def test_a_full_image_pool_returns_an_older_image_in_half_of_the_cases():
    torch.manual_seed(0)
    pool = ImagePool(10)
    pool.exchange(numbered(0, 10))
    older = 0
    for number in range(10, 1010):
        (back,) = numbers(pool.exchange(numbered(number, 1)))
        assert back <= number
        older += back < number
        assert len(set(numbers(pool.images))) == 10
        assert (number in numbers(pool.images)) == (back < number)
    assert 450 < older < 550


def test_an_image_pool_of_size_zero_returns_its_input_detached():
    fake = numbered(0, 2).clone().requires_grad_()
    back = ImagePool(0).exchange(fake)
    assert torch.equal(back, fake)
    assert not back.requires_grad
