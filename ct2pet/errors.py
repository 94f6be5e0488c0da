"""The errors that ct2pet raises for a user: one line that says which file, what is wrong and what to do."""


class Ct2PetError(Exception):
    """A problem that the user can solve. The commands print its message without a traceback."""


class WriteError(Ct2PetError, OSError):
    """A file or folder that cannot be written: a full disk, missing rights, a name that is too long.

    An OSError too, with ``errno`` and ``strerror`` of its cause, so that callers may handle it as one.
    """

    def __init__(self, message: str, cause: OSError) -> None:
        super().__init__(message)
        self.errno, self.strerror = cause.errno, cause.strerror
        self._message = message

    def __str__(self) -> str:
        return self._message

    def __reduce__(self) -> tuple:
        return WriteError, (self._message, OSError(self.errno, self.strerror))


class ImageError(Ct2PetError):
    """An image file that cannot be read, written or used as it is."""


class GeometryError(Ct2PetError):
    """Grids that do not match or are not supported."""


class DatasetError(Ct2PetError):
    """A raw dataset with invalid folders, files or tables."""


class PlansError(Ct2PetError):
    """Plans that do not exist, contain unknown keys or cannot work."""


class PluginError(Ct2PetError):
    """A plug-in name that is unknown, or a plug-in that cannot be loaded."""


class CheckpointError(Ct2PetError):
    """A checkpoint or model folder that is missing, damaged or of another model."""


class TrainingError(Ct2PetError):
    """A training that cannot start or continue."""


class ClusterError(Ct2PetError):
    """A cluster of several machines that does not answer or cannot be used."""


class CasesFailed(Ct2PetError):
    """Cases failed. ``failures`` maps each to its reason; ``some_done`` says whether other cases are done.

    ``tracebacks``: of unexpected errors, by case; the commands show them with --verbose.
    """

    def __init__(
        self,
        failures: dict[str, str],
        *,
        some_done: bool,
        what: str = "failed",
        tracebacks: dict[str, str] | None = None,
        noun: str = "case",
    ) -> None:
        self.failures = dict(failures)
        self.tracebacks = dict(tracebacks or {})
        self.some_done = some_done
        lines = [f"{case}: {reason}" for case, reason in sorted(self.failures.items())]
        super().__init__("\n".join([f"{len(lines)} {noun}(s) {what}:", *lines]))
