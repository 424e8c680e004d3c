"""The errors a caller can meet. Each says what is wrong and what to do.

FaceinpError (exit code 1)
├── PhotoError (2)        the photo cannot be read
├── MaskError (3)         the mask cannot be used
│   └── NothingFoundError (8)     what was looked for in place of a mask is not in the photo
├── NoFaceError (4)       no face where one is needed
├── EngineError (5)       no such engine, or it cannot run here
│   └── MissingPackageError   an extra is not installed
├── WeightsError (6)      weights are missing, damaged, or not to be fetched
├── DataError (7)         training or measuring data is missing or malformed
└── Cancelled (130)       the caller stopped the work

The shell returns 2 for arguments that cannot be right, too, as argparse does.
"""


class FaceinpError(Exception):
    """Base of every error raised on purpose; ``exit_code`` is what the shell command returns."""

    exit_code = 1


class PhotoError(FaceinpError):
    exit_code = 2


class MaskError(FaceinpError):
    exit_code = 3


class NothingFoundError(MaskError):
    """No damage, or nothing that hides a face: there is nothing to fill, which is no fault of the photo."""

    exit_code = 8


class NoFaceError(FaceinpError):
    exit_code = 4


class EngineError(FaceinpError):
    exit_code = 5


class MissingPackageError(EngineError):
    """``package`` is not installed; ``extra`` of faceinp brings it, or faceinp itself where ``extra`` is empty."""

    def __init__(self, package: str, extra: str) -> None:
        wanted = f"'faceinp[{extra}]'" if extra else "faceinp"
        super().__init__(f"The package {package} is not installed. Run: pip install {wanted}")
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        """So that it comes whole out of another process."""
        return type(self), (self.package, self.extra)


class WeightsError(FaceinpError):
    exit_code = 6


class DataError(FaceinpError):
    exit_code = 7


class Cancelled(FaceinpError):
    """Raised by a ``progress`` callable to stop the work; engines that can, return the best so far."""

    exit_code = 130
