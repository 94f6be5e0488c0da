"""Comparison of models: the command ct2pet_compare as a function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ct2pet import layout
from ct2pet.errors import Ct2PetError
from ct2pet.evaluation import read_summary
from ct2pet.evaluation.comparing import Comparison, compare, compare_with_baselines
from ct2pet.evaluation.comparing.pairing import common_cases as reduced_to_common_cases
from ct2pet.evaluation.comparing.paper_layout import paper_tables
from ct2pet.provenance import without_names

_SUMMARY = layout.SUMMARY
_PLACES = (_SUMMARY, f"validation/{_SUMMARY}")  # in a folder of predictions, in that of a training


def compare_results(
    results: Sequence[str | Path], metrics: Sequence[str] | None = None, *, common_cases: bool = False
) -> Comparison:
    """Compare evaluated models case by case: each with the first, or a single model with its trivial baselines.

    ``results``: summary.json files, or folders of predictions or trainings with one. A model has the name of its
    summary's folder. A folder of folders ``seed_N``, each with a summary, is one model with several runs: its value of
    a case is the mean of the runs. ``common_cases``: compare the cases that all models have where some lack a few; the
    comparison names the others. Raises Ct2PetError where a summary is missing or given twice, or where models cannot be
    compared (other cases, other references or settings, training cases).
    """
    files = [_summary_files(Path(path)) for path in results]
    models = dict(zip(_names(files), files))
    runs = {model: [_run_name(model, file, own) for file in own] for model, own in models.items()}
    summaries = {name: read_summary(file) for model in models for name, file in zip(runs[model], models[model])}
    if len(models) == 1:
        first, *others = summaries.values()
        return compare_with_baselines(first, metrics, more_runs=dict(zip([*summaries][1:], others)))
    left_out: dict[str, list[str]] = {}
    if common_cases:
        summaries, left_out = reduced_to_common_cases(summaries)
    return compare(summaries, metrics, left_out=left_out, runs=runs)


def paper_layout(proposed: Sequence[str | Path], competitor: Sequence[str | Path], *, width: int | None = None) -> str:
    """Tables I to III of arXiv 2503.15555 as text: ``proposed`` and ``competitor`` are the results of Pix2Pix and of
    CycleGAN each; a folder of folders ``seed_N`` has several runs. ``width``: the most characters of a line. Raises
    Ct2PetError as ``compare_results`` does."""
    own, other = (
        [[read_summary(file) for file in _summary_files(Path(path))] for path in group]
        for group in (proposed, competitor)
    )
    return paper_tables(own, other, width)


def model_name(summary: Path) -> str:
    """The name of a model in comparisons: that of the folder of its summary, or of a file that is not summary.json;
    ``...`` where it is the name of this machine or its user."""
    file = summary.resolve()
    return without_names((_place(file) or (file.stem,))[-1])


def _summary_files(path: Path) -> list[Path]:
    """The summaries of a model: one, or that of each run in folders ``seed_N``."""
    if not path.exists():
        raise Ct2PetError(f"{path}: no such file or folder")
    if path.is_file():
        return [path.resolve()]
    for place in _PLACES:
        if (path / place).is_file():
            return [(path / place).resolve()]
    runs = layout.seed_folders(path.resolve())
    if not runs:
        raise Ct2PetError(f"{path}: no {_SUMMARY} in it; make one with ct2pet_evaluate")
    return [file for run in runs for file in _summary_files(run)]


def _run_name(model: str, file: Path, files: Sequence[Path]) -> str:
    """The name of one summary of a model: that of the model, with the seed where it has several."""
    return model if len(files) == 1 else f"{model}/{_place(file)[-1]}"


def _names(models: Sequence[Sequence[Path]]) -> list[str]:
    """The name of each model, from its summaries: the last parts of the paths, as few as make them unique."""
    files = [file for own in models for file in own]
    for index, file in enumerate(files):
        if file in files[:index]:
            raise Ct2PetError(f"{file}: given twice; name two different results")
    places = [_place(own[0]) if len(own) == 1 else _place(own[0])[:-1] for own in models]
    for depth in range(1, max(map(len, places)) + 1):
        names = ["/".join(map(without_names, place[-depth:])) for place in places]
        if len(set(names)) == len(names):
            return names
    raise Ct2PetError("the results have the same names; rename their folders")


def _place(file: Path) -> tuple[str, ...]:
    """The name of a summary: its folder, and the file name where it is not the default."""
    if file.name != _SUMMARY:
        return (*file.parts[1:-1], file.stem)
    parts = file.parts[1:-1]
    return parts[:-1] if parts[-1:] == ("validation",) else parts
