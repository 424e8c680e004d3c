"""How the page orders a fill: what it shows, as an order; and a job, followed until it ends."""

from collections.abc import Callable, Generator
from typing import Any

import faceinp
from demo import filling, words
from demo.editor import read_editor, share_hidden
from demo.filling import Order
from demo.jobs import Job
from demo.sessions import Visit
from demo.views import Page

TICK = 0.4  # seconds between two looks at a job
AT_ONCE = 64  # visitors whose jobs are looked at; all but a few of them wait for their turn
FILLS: Any = {"concurrency_limit": AT_ONCE, "concurrency_id": "fill", "api_visibility": "private"}

Given = dict[Any, Any]  # parts of the page and what they hold: Gradio gives it for a set of inputs
Update = dict[Any, Any]  # parts of the page and what becomes of them


def painted_order(page: Page, given: Given, visit: Visit) -> Order:
    """What the page shows, as an order; raises FaceinpError where there is no photo, or nothing is painted on it.

    given: what at least the parts ``page.order`` hold.
    """
    original, value, engine = visit.original, given[page.editor], given[page.engine]
    face, aligned = given[page.face], given[page.aligned]
    if original is None:
        raise faceinp.PhotoError(words.NO_PHOTO)
    if not share_hidden(value):
        raise faceinp.MaskError(words.NO_STROKE)
    return Order(
        photo=original.path,
        hole=lambda: read_editor(value, original)[1],
        engine=engine,
        seed=int(given[page.seed] or 0),
        iterations=int(given[page.iterations]) if engine in filling.SEARCHES else 0,
        aligned=aligned,
        face=int(face) if face and not aligned else None,
        blending=given[page.blending],
        second=visit.second,
    )


def follow(start: Callable[[], Job], told: Any, look: Callable[[Job], Update]) -> Generator[Update, None, Job | None]:
    """Start a job and give ``look`` of it now and then. Returns the job when it has made what it could; None, and
    the part ``told`` says why, where it could not.
    """
    try:
        job = start()
    except faceinp.FaceinpError as error:
        yield {told: words.say(words.for_people(error), error=True)}
        return None
    try:
        while not job.wait(TICK):
            yield look(job)
        job.made()
    except faceinp.FaceinpError as error:
        yield {told: words.failed(words.for_people(error), error)}
        return None
    finally:
        job.stop()  # whoever left before the end frees the place
    return job
