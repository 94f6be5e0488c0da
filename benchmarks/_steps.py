"""The loops that the benchmark of training compares: steps of Pix2Pix on one batch in memory.

All have the same networks, losses (LSGAN, L1, L2) and fused Adam; the losses are plain where they are not ct2pet's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _measure import Stopwatch, clocked
from _pix2pix import BATCH, configuration

FEATURES = {"quick": 16, "full": 32}
STEPS = {"quick": 12, "full": 60}
PATCH, L1, L2 = 32, 100.0, 50.0
_WARM_UP = 3


def _batch() -> dict[str, Any]:
    import torch

    shape = (BATCH, 1, PATCH, PATCH, PATCH)
    random = torch.Generator().manual_seed(0)
    mask = torch.ones(shape, dtype=torch.bool)
    return {"CT": torch.rand(shape, generator=random) * 2 - 1, "PET": torch.rand(shape, generator=random), "mask": mask}


def _rate(size: str, step: Callable[[int], Any]) -> dict[str, float]:
    numbers = iter(range(STEPS[size] + _WARM_UP))
    for _ in range(_WARM_UP):
        step(next(numbers))
    return _told(clocked(lambda: step(next(numbers)), STEPS[size])[0])


def _told(seconds: dict[str, float], steps: int = 1) -> dict[str, float]:
    return {"steps": steps / seconds["inner"], "steps_cpu": steps / seconds["inner_cpu"]}


def ct2pet(folder: Path, size: str, bfloat16: bool) -> dict[str, float]:
    import torch

    from ct2pet.dataset.fields import ct_to_pet
    from ct2pet.models.pix2pix import Pix2Pix
    from ct2pet.training.optimization import Optimization
    from ct2pet.training.schedule import Schedule

    torch.cpu._is_avx512_bf16_supported = lambda: bfloat16
    numbers = {"lambda_l1": L1, "lambda_l2": L2}
    model = Pix2Pix(configuration(PATCH, FEATURES[size], [1.0] * 3), ct_to_pet(), numbers)
    optimization = Optimization(model, torch.device("cpu"), Schedule(num_epochs=1, iterations=1000, decay_steps=100))
    batch = _batch()
    return _rate(size, lambda number: optimization.step(batch, number, ["case"]))


def _networks(size: str, channels: int = 2) -> tuple[Any, Any, Any, Any]:
    """Generator, discriminator and their Adam optimizers."""
    import torch

    from ct2pet.networks import build_network

    plan = configuration(PATCH, FEATURES[size], [1.0] * 3)
    networks = build_network(plan.network("generator"), 1, 1), build_network(plan.network("discriminator"), channels, 1)
    rates = [torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999), fused=True) for network in networks]
    return (*networks, *rates)  # type: ignore[return-value]


def _cost(scores: Any, wanted: float) -> Any:
    import torch

    scores = scores.float()
    return torch.nn.functional.mse_loss(scores, torch.full_like(scores, wanted))


def _distance(fake: Any, real: Any) -> Any:
    error = fake.float() - real
    return L1 * error.abs().mean() + L2 * error.square().mean()


def bare(folder: Path, size: str, bfloat16: bool) -> dict[str, float]:
    """The order of ct2pet: the discriminator on real and fake at once, then on the fake for the generator."""
    import torch

    generator, discriminator, of_generator, of_discriminator = _networks(size)
    batch = _batch()
    ct, real = batch["CT"], batch["PET"]
    precision = functools.partial(torch.autocast, "cpu", torch.bfloat16, enabled=bfloat16)

    def step(number: int) -> None:
        with precision():
            fake = generator(ct)
            pairs = torch.cat([torch.cat([ct, real], 1), torch.cat([ct, fake.detach()], 1)])
            on_real, on_fake = discriminator(pairs).chunk(2)
            loss = (_cost(on_real, 1.0) + _cost(on_fake, 0.0)) / 2
        of_discriminator.zero_grad()
        loss.backward()
        of_discriminator.step()
        discriminator.requires_grad_(False)
        with precision():
            loss = _cost(discriminator(torch.cat([ct, fake], 1)), 1.0) + _distance(fake, real)
        of_generator.zero_grad()
        loss.backward()
        of_generator.step()
        discriminator.requires_grad_(True)

    return _rate(size, step)


def published_order(folder: Path, size: str, bfloat16: bool) -> dict[str, float]:
    """That of pytorch-CycleGAN-and-pix2pix: the discriminator on fake, on real, and again on fake for the generator."""
    import torch

    generator, discriminator, of_generator, of_discriminator = _networks(size)
    batch = _batch()
    ct, real = batch["CT"], batch["PET"]
    precision = functools.partial(torch.autocast, "cpu", torch.bfloat16, enabled=bfloat16)

    def cost(pet: Any, wanted: float) -> Any:
        return _cost(discriminator(torch.cat([ct, pet], 1)), wanted)

    def step(number: int) -> None:
        with precision():
            fake = generator(ct)
        discriminator.requires_grad_(True)
        of_discriminator.zero_grad()
        with precision():
            loss = (cost(fake.detach(), 0.0) + cost(real, 1.0)) / 2
        loss.backward()
        of_discriminator.step()
        discriminator.requires_grad_(False)
        of_generator.zero_grad()
        with precision():
            loss = cost(fake, 1.0) + _distance(fake, real)
        loss.backward()
        of_generator.step()

    return _rate(size, step)


def monai(folder: Path, size: str, bfloat16: bool) -> dict[str, float]:
    """Its own mixed precision is for CUDA; here the context around the whole run gives bfloat16."""
    import torch
    from ignite.engine import Events
    from monai.engines import AdversarialTrainer

    generator, discriminator, of_generator, of_discriminator = _networks(size, channels=1)
    batch = _batch()
    one = {"image": batch["CT"], "label": batch["PET"]}
    trainer = AdversarialTrainer(
        torch.device("cpu"),
        max_epochs=1,
        train_data_loader=[one] * (STEPS[size] + _WARM_UP),
        g_network=generator,
        g_optimizer=of_generator,
        g_loss_function=lambda scores: _cost(scores, 1.0),
        recon_loss_function=_distance,
        d_network=discriminator,
        d_optimizer=of_discriminator,
        d_loss_function=lambda on_real, on_fake: (_cost(on_real, 1.0) + _cost(on_fake, 0.0)) / 2,
    )
    watch = Stopwatch()
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=_WARM_UP), watch.start)
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        trainer.run()
    return _told(watch.seconds(), STEPS[size])


ARMS = {
    "ct2pet": ct2pet,
    "bare loop": bare,
    "pytorch-CycleGAN-and-pix2pix's order": published_order,
    "MONAI AdversarialTrainer": monai,
}
