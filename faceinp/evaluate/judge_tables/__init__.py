"""Tables of judges: how well they tell people apart, what their distances mean, and which references they accept."""

from collections.abc import Sequence

from faceinp import identity
from faceinp.errors import FaceinpError

JUDGES, NO_JUDGES = ("bundled", "dlib"), "none"  # judges that need no file; the value of --judges that means none
RATE = 0.01  # the false match rate whose threshold every table uses


def load_available(names: Sequence[str] | None = None) -> tuple[dict[str, identity.Judge], list[str]]:
    """The judges ``names``, or those of JUDGES that run here, by name; and a sentence for each that does not.

    Raises what ``identity.load`` raises for a judge in ``names``.
    """
    judges: dict[str, identity.Judge] = {}
    problems = []
    for name in JUDGES if names is None else names:
        try:
            judges[name] = identity.load(name)
        except FaceinpError as error:
            if names is not None:
                raise
            problems.append(f"{name}: {error}")
    return judges, problems
