"""What the page says of a result, as text or HTML. What comes from elsewhere is escaped."""

from collections.abc import Callable, Mapping, Sequence
from html import escape

import faceinp

from ..fills import naturalness
from ..fills.filling import Made
from ..fills.jobs import Failed
from ..images import pictures
from .strings import RESULTS, VARIANTS, in_terms_of_the_page, plain

IDENTITY = "Still the same person?"
FOR_EXPERTS = "For experts: seed, seam, distances"
SEAM = (
    "Seam: how much steeper the picture is over the hole’s edge than beside it, in grey levels of 0 to 255; at 0 and "
    "below, the edge cannot be seen."
)
DISTANCE = (
    "Distance: how far apart the judge, a network, finds two faces, from 0 to 2; under the threshold they count as one "
    "person."
)
CAVEAT = "A likeness score, not evidence of identity."
NONE_LEFT = "No independent photo is left to compare with."
ANOTHER_SAYS_MORE = "Where the photo itself is damaged, another photo of the person says more."
LEAST_TOLD = 0.02  # of the hole: sources of less are told together, as the rest


def outcome(made: Made) -> str:
    """What was done, in a sentence or two."""
    kept = f"{made.known_pixels:,} pixels are exactly as they were."
    if made.changed_pixels:
        kept = f"{made.changed_pixels:,} of {made.known_pixels:,} pixels that should have stayed were changed."
    parts = f" Of all that was filled, {_whence(made)}." if made.shares else ""
    for number, file in enumerate(made.history.files):
        if file in made.history.doubtful and made.shares.get(pictures.REFERENCE + number):
            parts += f" It is not certain that “{file.name}” shows the same person."
    broken = " broken" if made.changed_pixels else ""
    return f'<div class="known{broken}" role="status"><p><b>Filled.</b> {kept}{escape(parts)}</p></div>'


def _whence(made: Made) -> str:
    """How much of all that was filled comes from each source, the most first and the least together."""
    whence = {
        pictures.SYMMETRY: "is mirrored from the other half of the face",
        pictures.SURROUNDINGS: "is continued from its surroundings",
        pictures.ENGINE: "is invented",
    }
    whence |= {pictures.REFERENCE + n: f"comes from “{one.name}”" for n, one in enumerate(made.history.files)}
    shares = sorted(made.shares.items(), key=lambda source: -source[1])
    rest = " or ".join(whence[code] for code, share in shares if share < LEAST_TOLD)
    most = 0.99 if rest else 1.0  # where there is a rest, nothing is all of it
    told = [f"{min(share, most):.0%} {whence[code]}" for code, share in shares if share >= LEAST_TOLD]
    return ", ".join([*told, f"the rest {rest}"] if rest else told)


def facts(made: Made) -> str:
    """What is known of a result in everyday terms, what the judge says of it, and, folded up, what experts look for."""
    width, height = made.size
    kept = f"{made.changed_pixels:,} of {made.known_pixels:,} changed"
    listed = {
        "Known pixels": kept if made.changed_pixels else f"all {made.known_pixels:,} unchanged",
        "Engine": made.engine,
        "Size": f"{width:,} × {height:,} pixels",
        "Time": f"{made.seconds:.1f} s",
    }
    notes = "".join(f"<li>{escape(in_terms_of_the_page(note))}</li>" for note in made.notes)
    return _terms(listed) + (f"<ul>{notes}</ul>" if notes else "") + judged(made) + _for_experts(made)


def _terms(pairs: Mapping[str, str]) -> str:
    listed = (f"<div><dt>{term}</dt><dd>{escape(text)}</dd></div>" for term, text in pairs.items() if text)
    return f"<dl>{''.join(listed)}</dl>"


def identity(made: Made) -> str:
    """Whether the fill still looks like the person, by each photo that was only compared with; empty without one."""
    if made.likeness is None:
        return ""
    verdicts = [
        (file.name, other.filled)
        for file, other in zip(made.others, made.likeness.others, strict=True)
        if other.filled is not None
    ]
    if not verdicts:
        return ""
    bars = "".join(
        f'<p>Compared with “{escape(name)}”</p><div class="likeness" role="img" aria-label="{_likely(verdict)}">'
        f'<i style="left:{100 * verdict.probability:.0f}%"></i></div>'
        f"<div class='ends'><span>someone else</span><b>{_likely(verdict)}</b><span>same person</span></div>"
        for name, verdict in verdicts
    )
    return (
        f'<div class="panel"><h2>{IDENTITY}</h2>{bars}<p>A program compared the faces; '
        f"{_strangers(verdicts[0][1])} {CAVEAT}</p></div>"
    )


def _likely(verdict: faceinp.Verdict) -> str:
    return "likely the same" if verdict.same else "not recognised"


def judged(made: Made) -> str:
    """How likely the filled face is the person's, with the floor beside it; or why nothing was compared."""
    if made.likeness is None:
        return f'<div class="panel"><h2>{IDENTITY}</h2><p>Nothing was compared: {plain(made.no_judge)}</p></div>'
    likeness = made.likeness
    hint = "" if likeness.second else NONE_LEFT if likeness.others else ANOTHER_SAYS_MORE
    return (
        f'<div class="panel"><h2>{IDENTITY}</h2>{_compared(made, _percent)}'
        f"<p>How likely two faces are one person’s, as far as a program can tell; {_strangers(likeness.verdict)} “Hole "
        "left blank” is what the rest of the face is worth alone: the fill helps where it is above that. "
        f"{escape(hint)}</p><p><strong>{CAVEAT}</strong></p></div>"
    )


def _compared(made: Made, figure: Callable[[faceinp.Verdict], str]) -> str:
    """A row for each photo that the judge compared with: the figure of the fill, and of a blank hole."""
    likeness = made.likeness
    if likeness is None:
        return ""
    cells = f"<tr><td>this photo</td><td>{figure(likeness.original)}</td><td>{figure(likeness.floor)}</td></tr>"
    for file, other in zip(made.others, likeness.others, strict=True):
        compared = (
            f'<td class="why" colspan="2">{escape(other.left_out)}</td>'
            if other.filled is None or other.floor is None
            else f"<td>{figure(other.filled)}</td><td>{figure(other.floor)}</td>"
        )
        cells += f"<tr><td>{escape(file.name)}</td>{compared}</tr>"
    heads = "<th>Compared with</th><th>Filled</th><th>Hole left blank</th>"
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table>"


def _for_experts(made: Made) -> str:
    """Seed, runtime and seam, and the judge's distances, folded up."""
    listed = {"Seed": str(made.seed), "Runs on": made.runtime, "Seam": f"{made.seam:+.2f} grey levels"}
    said = f"<p>{SEAM}</p>"
    if made.likeness is not None:
        verdict = made.likeness.verdict
        listed |= {"Judge": verdict.judge, "Threshold": f"{verdict.threshold:.3f}"}
        notes = "".join(f"<p>{escape(note)}</p>" for note in verdict.notes)
        said += f"<h2>Distances</h2>{_compared(made, _distance)}<p>{DISTANCE}</p>{notes}"
    return f'<details class="panel"><summary>{FOR_EXPERTS}</summary>{_terms(listed)}{said}</details>'


def _percent(verdict: faceinp.Verdict) -> str:
    return f"{verdict.probability:.1%}"


def _distance(verdict: faceinp.Verdict) -> str:
    return f"{verdict.distance.euclidean:.3f}"


def _strangers(verdict: faceinp.Verdict) -> str:
    return f"it takes {verdict.false_match_rate:.1%} of strangers for the same person."


def variants(made: Sequence[Made]) -> str:
    """The heading over several results."""
    return RESULTS if any(one.about for one in made) else VARIANTS


def captions(made: Sequence[Made]) -> list[str]:
    """The lines under several results."""
    parts = any(one.about for one in made)
    return [f"{number}. {_caption(one, parts)}" for number, one in enumerate(made, 1)]


def _caption(made: Made, parts: bool) -> str:
    """parts: whether single parts were filled again since, so that seeds are of no interest."""
    if parts:
        return made.about or "all at once"
    score = f", {made.likeness.verdict.probability:.0%} same" if made.likeness else ""
    return f"seed {made.seed}{score}"


def card(outcome: Made | Failed) -> str:
    """One engine of several beside each other, as a picture of what it made."""
    if isinstance(outcome, Failed):
        return f'<figure class="failed"><p>{plain(outcome.reason)}</p>{_under(outcome.engine, "")}</figure>'
    shown = pictures.data_uri(pictures.shrunk(pictures.read(outcome.face).pixels, pictures.GRID_SIDE), ".jpg")
    picture = f'<img alt="The face as {escape(outcome.engine)} filled it" src="{shown}">'
    figure = _naturalness(outcome)
    natural = "" if figure is None else f"<small>naturalness {figure:.{2 if figure < 10 else 0}f} (best: 0)</small>"
    return f"<figure>{picture}{_under(outcome.engine, f'{outcome.seconds:.1f} s', natural)}</figure>"


def _naturalness(made: Made) -> float | None:
    """That of the engine's fills on other faces; None where other photos helped, which was measured otherwise."""
    if any(code >= pictures.REFERENCE for code in made.shares):
        return None
    return naturalness.measured(made.hole_like, made.engine, pictures.SYMMETRY in made.shares)


def about_naturalness(outcomes: Sequence[Made | Failed]) -> str:
    """What that figure under the cards means; empty where none has one."""
    made = [one for one in outcomes if isinstance(one, Made) and _naturalness(one) is not None]
    if not made:
        return ""
    hole = faceinp.list_presets()[made[0].hole_like]
    return (
        f"<p class='hint'>Naturalness: how far the engine’s fills are from untouched faces, measured on other people’s "
        f"photos with a hole like yours ({hole}). 0 looks like a photo, and the smaller, the better.</p>"
    )


def _under(engine: str, said: str, below: str = "") -> str:
    return f"<figcaption><b>{escape(engine)}</b><span>{said}</span>{below}</figcaption>"


def table(outcomes: Sequence[Made | Failed]) -> str:
    """Engines beside each other: time, likeness, seam; empty for none."""
    if not outcomes:
        return ""
    rows = []
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            rows.append(f'<tr><td>{outcome.engine}</td><td class="why" colspan="4">{plain(outcome.reason)}</td></tr>')
            continue
        verdict = outcome.likeness.verdict if outcome.likeness else None
        same = f"{_percent(verdict)}<small>distance {_distance(verdict)}</small>" if verdict else "–"
        rows.append(
            f"<tr><td>{outcome.engine}</td><td>{outcome.seconds:.2f} s</td><td>{same}</td>"
            f"<td>{outcome.seam:+.2f}</td><td>{outcome.changed_pixels:,}</td></tr>"
        )
    made = [outcome for outcome in outcomes if isinstance(outcome, Made)]
    likeness = next((one.likeness for one in made if one.likeness), None)
    reason = next((one.no_judge for one in made if one.no_judge), "")
    said = f"<p>Same person: nothing was compared, {plain(reason)}</p>" if reason else ""
    if likeness is not None:
        floor = likeness.floor
        said = (
            "<p>Same person: how likely the face is still the person’s, as far as a program can tell, the judge "
            f"{escape(floor.judge)}; {_strangers(floor)} With the hole left blank it is {_percent(floor)}, distance "
            f"{_distance(floor)}. <strong>{CAVEAT}</strong></p><p>{DISTANCE}</p>"
        )
    return (
        '<div class="panel"><table><thead><tr><th>Engine</th><th>Time</th><th>Same person</th><th>Seam</th>'
        f"<th>Known pixels changed</th></tr></thead><tbody>{''.join(rows)}</tbody></table>{said}<p>{SEAM}</p></div>"
    )


def legend(made: Made, view: str) -> str:
    """What each colour of the view "Where it comes from" means, and its part of the hole; empty for other views."""
    if view != pictures.SOURCES:
        return ""
    meanings = {
        pictures.ENGINE: "invented",
        pictures.SYMMETRY: "mirrored from the other half of the face",
        pictures.SURROUNDINGS: "continued from the surroundings",
    }
    meanings |= {pictures.REFERENCE + index: f"from “{one.name}”" for index, one in enumerate(made.history.files)}
    entries = "".join(
        f'<li><i style="background:rgb{pictures.source_colour(code)}"></i>{share:.1%} {escape(meanings[code])}</li>'
        for code, share in sorted(made.shares.items(), key=lambda source: -source[1])
    )
    return f"<ul>{entries}</ul>"
