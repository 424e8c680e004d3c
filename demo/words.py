"""What the page says, as text or HTML. What comes from elsewhere is escaped."""

from collections.abc import Sequence
from html import escape

import numpy as np

import faceinp
from demo import filling, pictures
from demo.filling import Made, ReferenceUse
from demo.jobs import Failed, Running
from demo.uploads import without_folders

TITLE = "Fill a part of a face"
LEAD = "Load a photo, paint over what should be replaced, and press Fill. The rest stays as it is, to the bit."
LIMITS = (
    "The filled area is invented by a neural network or taken from elsewhere; it does not show what was there. Never "
    "use it to identify or to deceive anyone, and never fill a face from another person's photo. The weights are for "
    "research only. Photos stay on the machine that serves this page and are deleted when you load another one or "
    "leave, the last copies minutes later."
)
CAVEAT = "A likeness score, not evidence of identity."
NONE_LEFT = "No independent photo is left to compare with."
ANOTHER_SAYS_MORE = "Where the photo itself is damaged, another photo of the person says more."
NO_PHOTO = "Load a photo first."
NO_STROKE = "Paint over what should be replaced, have it found, or put a ready-made mask on the photo. Then press Fill."
MARKED = "What should be replaced is marked. Press Fill, or paint over more of it."
ONE_FACE = "One face was found."
NO_FACE = (
    "No face was found in the photo. What you paint over will be filled from its surroundings. If the photo is nothing "
    "but an aligned face, switch on “Already aligned”."
)
WHITE_TAKEN = "Either tone of it may be the hole: white was taken. Press Invert if it is the other one."
FLAGS = (  # what errors and notes say of the shell, and what they say on the page
    (" If it hides a face, specify where: --box or --points (face=FaceLocation.box, FaceLocation.points).", ""),
    (" Its five --points say more.", ""),
    (", or specify another face with --face, --box or --points (face=FaceLocation...)", ", or choose another face"),
    (" (references=, --reference)", ""),
    (" Choose another one with --page (page= of read_photo).", ""),
)
EVERY_FACE = "every face I paint over"
TURN = "How the photo lies"
ABOUT_TURN = "If a face is not found or comes out wrong: turned which way would the photo stand upright?"
TURNS = (
    ("found automatically", "auto"),
    ("upright", 0),
    ("turn it right", 90),
    ("upside down", 180),
    ("turn it left", 270),
)
FIND = {"damage": "Find damage", "occluders": "Find glasses, masks, hands"}
LOOKING = {"damage": "Looking for damage …", "occluders": "Looking for glasses, masks and hands …"}
NOTHING_FOUND = {
    "damage": "No damage was found. Move the slider to find more, or paint over it yourself.",
    "occluders": "Nothing was found over a face. Move the slider to find more, or paint over it yourself.",
}
KINDS = {
    **{"scratch": "scratches", "spot": "spots", "tear": "tears", "stain": "stains", "stamp": "stamps or writing"},
    **{"glasses": "glasses", "protective-mask": "a mask", "hand": "a hand", "hair": "hair", "other": "something else"},
}
LEAST_KIND = 0.03  # of what is marked: kinds of less are single pixels at the edges of others
CORRECT = "It is painted in blue: correct it with brush and eraser, then press Fill."
NO_FACE_TO_SEARCH = (
    "No face was found in the photo, so nothing was looked for. If the photo is nothing but an aligned face, switch on "
    "“Already aligned”."
)
SENSITIVITY = "Find less or more"
STAMPS = "Stamps and writing, too"
FILLING = "Filling. Cancel stops it."
STOPPED = "Stopped. Nothing was changed."
EQUAL = "Other seeds change nothing with this engine, so there is one candidate."
NO_PRESET = "Choose one"
HOW_TO_MOVE = (
    "Click a point, then its new place; or name it and say how far. Then fill again: the face follows its landmarks."
)
OTHERS = (
    "<h3>Other photos of this person</h3><p>The hole is filled with the person's real features from these photos where "
    "they fit. A photo that is only compared shows whether the fill still looks like the person. Up to four; "
    "they are deleted with the photo above.</p>"
)
UNCHECKED = "Use it anyway: do not check that these photos show the same person"
SYMMETRY = "Use the other half of the face"
ABOUT_SYMMETRY = "A hidden eye is filled with the other eye, mirrored, where that fits."
COMPARE = "The photo and the mask of the first tab through several engines, one after the other."
COMPARE_FIRST = "Load a photo and mark a hole on the first tab, then press Compare."
NO_ENGINE = "Choose at least one engine."


def for_people(error: faceinp.FaceinpError) -> str:
    """What an error says, in the page's terms, and without the server's folders."""
    if isinstance(error, faceinp.NoFaceError) and "No face was found" in str(error):
        return NO_FACE
    return in_terms_of_the_page(without_folders(str(error)))


def not_looked(error: faceinp.FaceinpError) -> str:
    """Why nothing was looked for."""
    said = for_people(error)
    return NO_FACE_TO_SEARCH if said == NO_FACE else said


def found(name: str, proposal: faceinp.Proposal) -> str:
    """What was found, and what should be known of it. name: what was looked for."""
    shares = sorted(proposal.shares.items(), key=lambda kind: -kind[1])
    kinds = ", ".join(KINDS[kind] for kind, share in shares if share >= LEAST_KIND * proposal.share)
    marked = f"{proposal.share:.2%}" if proposal.share >= 0.0001 else "less than 0.01%"
    said = f"Found on {marked} of the photo: {kinds}. {CORRECT}" if shares else NOTHING_FOUND[name]
    return say("\n".join([said, *(in_terms_of_the_page(without_folders(note)) for note in proposal.notes)]))


def in_terms_of_the_page(text: str) -> str:
    """An error or a note without the shell's flags."""
    for flags, here in FLAGS:
        text = text.replace(flags, here)
    return text.replace("--turn", f"“{TURN}” under More")


def say(text: str, error: bool = False) -> str:
    """A message; empty for no text."""
    if not text:
        return ""
    kind, role = ("message error", "alert") if error else ("message", "status")
    return f'<div class="{kind}" role="{role}">{escape(text)}</div>'


def failed(text: str, error: faceinp.FaceinpError) -> str:
    """Why there is no result; who stopped the work knows, and needs no alarm."""
    stopped = isinstance(error, faceinp.Cancelled)
    return say(STOPPED if stopped else text, error=not stopped)


def state(text: str) -> str:
    """What the server is doing besides."""
    return f'<span role="status">{_plain(text)}</span>'


def about_engine(name: str | None) -> str:
    """The one line that an engine says of itself, and how long it takes."""
    about = next((engine.about for engine in faceinp.list_engines() if engine.name == name), None)
    if name is None or about is None:
        return "No engine is ready here."
    return f"{about.rstrip('.')}. About {_seconds(filling.expected(name))} here."


def engines_title() -> str:
    """The heading over the table of engines."""
    listed = faceinp.list_engines()
    unready = sum(not engine.ready for engine in listed)
    return f"All {len(listed)} engines" + (f", {unready} of them not ready on this machine" if unready else "")


def engines() -> str:
    """Every engine: one line, the time it takes here, or why it cannot run here."""
    rows = "".join(
        f'<tr><td>{engine.name}</td><td class="why">{escape(engine.about)}'
        + (
            f"</td><td>{_seconds(filling.expected(engine.name))}</td></tr>"
            if engine.ready
            else f"<p>{_plain(engine.missing)}</p></td><td>not here</td></tr>"
        )
        for engine in faceinp.list_engines()
    )
    return f'<div class="panel"><table><tbody>{rows}</tbody></table></div>'


def share(hidden: float) -> str:
    """How much of the photo is painted over."""
    figure = f"{hidden:.1%}" if hidden >= 0.01 else f"{hidden:.2%}"
    return f'<span role="status">{figure} hidden</span>' if hidden else ""


def progress(running: Running) -> str:
    """How far a job is: a bar, the time left, the newest preview and its curve."""
    if running.started is None:
        ahead = f"{running.before} job{'s' * (running.before > 1)} ahead of yours."
        return say(f"In the queue. {ahead}" if running.before else "Starting …")
    which = f"{running.engine}, {running.order + 1} of {running.orders}" if running.orders > 1 else running.engine
    left = running.left
    remaining = f"about {_seconds(left)} left" if left is not None else "working"
    curve = pictures.curve(running.curve)
    preview = ""
    if running.preview is not None and running.curve:
        pixels = (running.preview.transpose(1, 2, 0) * 255).round().clip(0, 255).astype(np.uint8)
        preview = f'<img alt="Preview" src="{pictures.data_uri(pixels)}">'
    percent = round(100 * running.share)
    return (
        '<div class="panel running"><div class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent}"><i style="width:{percent}%"></i></div>'
        f"<span>{escape(which)}</span><span>{remaining}</span><div>{curve}</div>{preview}</div>"
    )


def facts(made: Made) -> str:
    """What is known of a result."""
    broken = " broken" if made.changed_pixels else ""
    known = f"{made.changed_pixels:,} of {made.known_pixels:,} known pixels changed"
    width, height = made.size
    pairs = {
        "Engine": made.engine,
        "Runs on": made.runtime,
        "Seed": str(made.seed),
        "Size": f"{width:,} × {height:,}",
        "Time": f"{made.seconds:.1f} s",
    }
    listed = "".join(f"<div><dt>{term}</dt><dd>{escape(text)}</dd></div>" for term, text in pairs.items())
    notes = "".join(f"<li>{escape(in_terms_of_the_page(note))}</li>" for note in made.notes)
    return f'<div class="known{broken}">{known}</div><dl>{listed}</dl>' + (f"<ul>{notes}</ul>" if notes else "")


def no_face_on(name: str) -> str:
    """Why another photo of the person is not taken."""
    return f"No face was found in {name}. Choose a photo that shows it larger or less turned."


def no_room_for(name: str) -> str:
    """Why one photo more is not taken."""
    return f"Four photos at most: {name} was left out."


def thumb(data_uri: str) -> str:
    """The small picture of another photo; empty without one."""
    return f'<img alt="" src="{data_uri}">' if data_uri else ""


def used(reference: ReferenceUse) -> str:
    """What became of a reference photo: its part of the hole, or why it was left aside."""
    share = f"{reference.share:.1%}" if reference.share else "No part"
    return without_folders(reference.problem) or f"{share} of the hole comes from it."


def legend(made: Made, view: str) -> str:
    """What each colour of the view "Where it comes from" means, and its part of the hole; empty for other views."""
    if view != pictures.SOURCES:
        return ""
    meanings = {
        pictures.ENGINE: f"drawn by {made.engine}",
        pictures.SYMMETRY: "mirrored from the other half of the face",
        pictures.SURROUNDINGS: "continued from the surroundings",
    }
    meanings |= {pictures.REFERENCE + index: f"from “{one.file.name}”" for index, one in enumerate(made.references)}
    entries = "".join(
        f'<li><i style="background:rgb{pictures.source_colour(code)}"></i>{share:.1%} {escape(meanings[code])}</li>'
        for code, share in sorted(made.shares.items(), key=lambda source: -source[1])
    )
    return f"<ul>{entries}</ul>"


def identity(made: Made) -> str:
    """What the judge says, with the floor beside it; or why there is none."""
    if made.likeness is None:
        return f'<div class="panel"><h3>Identity</h3>No judge: {_plain(made.no_judge)}<p>{CAVEAT}</p></div>'
    likeness = made.likeness
    cells = f"<tr><td>this photo</td><td>{_same(likeness.original)}</td><td>{_same(likeness.floor)}</td></tr>"
    for file, other in zip(made.others, likeness.others, strict=True):
        compared = (
            f'<td class="why" colspan="2">{escape(other.left_out)}</td>'
            if other.filled is None or other.floor is None
            else f"<td>{_same(other.filled)}</td><td>{_same(other.floor)}</td>"
        )
        cells += f"<tr><td>{escape(file.name)}</td>{compared}</tr>"
    verdict = likeness.verdict
    hint = "" if likeness.second else NONE_LEFT if likeness.others else ANOTHER_SAYS_MORE
    listed = "".join(f"<p>{escape(note)}</p>" for note in verdict.notes)
    notes = f"<details><summary>More about this judge</summary>{listed}</details>" if listed else ""
    return (
        '<div class="panel"><h3>Identity</h3><table><thead><tr><th>Same person as on</th>'
        f"<th>Filled</th><th>Blank hole</th></tr></thead><tbody>{cells}</tbody></table>"
        f"<p>Judge: {escape(verdict.judge)}. A distance under {verdict.threshold:.3f} counts as one person; "
        f"{verdict.false_match_rate:.1%} of strangers do, too. “Blank hole” is the floor: what the rest of the face is "
        f"worth alone. {escape(hint)}</p><p><strong>{CAVEAT}</strong></p>{notes}</div>"
    )


def _same(verdict: faceinp.Verdict) -> str:
    return f"{verdict.probability:.1%}<small>distance {verdict.distance.euclidean:.3f}</small>"


def caption(place: int, made: Made) -> str:
    """The line under a candidate."""
    score = f", {made.likeness.verdict.probability:.0%} same" if made.likeness else ""
    return f"{place}. seed {made.seed}{score}"


def table(outcomes: Sequence[Made | Failed]) -> str:
    """Engines beside each other: time, seam, identity; empty for none."""
    if not outcomes:
        return ""
    rows = []
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            rows.append(f'<tr><td>{outcome.engine}</td><td class="why" colspan="4">{_plain(outcome.reason)}</td></tr>')
            continue
        verdict = outcome.likeness.verdict if outcome.likeness else None
        rows.append(
            f"<tr><td>{outcome.engine}</td><td>{outcome.seconds:.2f} s</td><td>{outcome.seam:+.2f}</td>"
            f"<td>{_same(verdict) if verdict else '–'}</td><td>{outcome.changed_pixels:,}</td></tr>"
        )
    made = [outcome for outcome in outcomes if isinstance(outcome, Made)]
    judge = next((one.likeness.verdict.judge for one in made if one.likeness), "")
    reason = next((one.no_judge for one in made if one.no_judge), "")
    by = f"Judge: {escape(judge)}." if judge else f"No judge: {_plain(reason)}" if reason else ""
    floor = next((one.likeness.floor for one in made if one.likeness), None)
    blank = f" A blank hole alone: {floor.probability:.1%}, {floor.distance.euclidean:.3f}." if floor else ""
    return (
        '<div class="panel"><table><thead><tr><th>Engine</th><th>Time</th><th>Seam</th>'
        "<th>Same person</th><th>Changed</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table><p>Seam: how much steeper the picture is over the hole's edge "
        f"than beside it, in grey levels; 0 is none. Changed: known pixels that are not what they were. {by}{blank} "
        f"<strong>{CAVEAT}</strong></p></div>"
    )


def _plain(text: str) -> str:
    """What the library says of this machine, without its folders, as HTML."""
    return escape(without_folders(text))


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return "a second"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
