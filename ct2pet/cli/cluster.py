"""The options --dask and --slurm of commands that can compute their cases on other machines."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ct2pet.cli.arguments import Parser

OPTIONS = ("dask", "slurm")
_MODELS = ("model_paths", "lesion_model")  # each a path, or the name of a model


def add_cluster(parser: Parser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--dask", metavar="ADDRESS", help="compute the cases on the workers of this Dask scheduler, tcp://HOST:8786"
    )
    group.add_argument(
        "--slurm",
        nargs="+",
        metavar="KEY=VALUE",
        help="compute the cases in SLURM jobs: jobs=20 cores=4 memory=16GB walltime=04:00:00 queue=NAME account=NAME "
        "directive=--gres=gpu:1",
    )


@contextlib.contextmanager
def on_cluster_of(
    arguments: argparse.Namespace, inputs: Sequence[Path] = (), outputs: Sequence[Path] = ()
) -> Iterator[None]:
    """Inside the block the cases are computed on the cluster of --dask or --slurm, or on this machine without them.
    ``inputs``, ``outputs``: folders that the other machines must see. Relative paths in ``arguments`` become absolute,
    because workers run in other folders. Raises ClusterError where the cluster cannot be used."""
    if arguments.dask is None and arguments.slurm is None:
        yield
        return
    from ct2pet.parallel.cluster import on_cluster
    from ct2pet.parallel.slurm import slurm_cluster

    for name, value in vars(arguments).items():
        setattr(arguments, name, _absolute(value, of_model=name in _MODELS))
    seen, written = ([path.absolute() for path in paths] for paths in (inputs, outputs))
    if arguments.dask is not None:
        with on_cluster(arguments.dask, inputs=seen, outputs=written):
            yield
    else:
        with (
            slurm_cluster(arguments.slurm) as (jobs, check_jobs),
            on_cluster(jobs, inputs=seen, outputs=written, check_jobs=check_jobs),
        ):
            yield


def _absolute(value: Any, of_model: bool) -> Any:
    """A path, also within a list, as an absolute one; the name of a model, and any other value, as it is."""
    from ct2pet.sharing.box import is_box

    if isinstance(value, list):
        return [_absolute(one, of_model) for one in value]
    if of_model and isinstance(value, (str, Path)):
        is_name = is_box(value) or (isinstance(value, str) and not Path(value).exists())
        return value if is_name else type(value)(Path(value).absolute())
    return value.absolute() if isinstance(value, Path) else value
