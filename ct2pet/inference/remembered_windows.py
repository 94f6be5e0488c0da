"""Windows that a network has seen before are not computed again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial

import torch

from ct2pet.inference.sliding_window import WindowFunction

_Answers = dict[bytes, dict[str, torch.Tensor]]


class RememberedWindows:
    """What networks answered to windows, kept on the CPU by the windows' values (a digest of them).

    So a second prediction of an image that changed in few places computes the windows that see a change, and is
    otherwise what a full prediction is. New answers are kept while ``learning`` is true.
    """

    def __init__(self) -> None:
        self.learning = True
        self._answers: dict[torch.nn.Module, _Answers] = {}

    def before(self, network: torch.nn.Module, function: WindowFunction) -> WindowFunction:
        """``function``, which applies ``network``, for those windows that are not remembered."""
        return partial(self._answer, self._answers.setdefault(network, {}), function)

    def _answer(self, known: _Answers, function: WindowFunction, windows: torch.Tensor) -> Mapping[str, torch.Tensor]:
        digests = [_digest(window) for window in windows]
        missing = [number for number, digest in enumerate(digests) if digest not in known]
        computed = function(windows[missing]) if missing else {}
        found = {
            digests[number]: {name: answers[place].float().cpu() for name, answers in computed.items()}
            for place, number in enumerate(missing)
        }
        if self.learning:
            known.update(found)
        answers = [found[digest] if digest in found else known[digest] for digest in digests]
        return {name: torch.stack([answer[name] for answer in answers]) for name in answers[0]}


def _digest(window: torch.Tensor) -> bytes:
    return hashlib.blake2b(window.contiguous().cpu().numpy().data, digest_size=16).digest()
