"""What the page says of a result, as text or HTML. What comes from elsewhere is escaped."""

from collections.abc import Sequence
from html import escape

import faceinp
from demo import pictures
from demo.filling import Made
from demo.jobs import Failed
from demo.words import in_terms_of_the_page, plain

CAVEAT = "A likeness score, not evidence of identity."
NONE_LEFT = "No independent photo is left to compare with."
ANOTHER_SAYS_MORE = "Where the photo itself is damaged, another photo of the person says more."
LEAST_TOLD = 0.02  # of the hole: sources of less are left to the view of all of them


def outcome(made: Made) -> str:
    """What was done, in a sentence or two."""
    kept = f"{made.known_pixels:,} pixels are exactly as they were."
    if made.changed_pixels:
        kept = f"{made.changed_pixels:,} of {made.known_pixels:,} pixels that should have stayed were changed."
    whence = {
        pictures.SYMMETRY: "{} is mirrored from the other half of the face",
        pictures.SURROUNDINGS: "{} is continued from its surroundings",
        pictures.ENGINE: "{} is invented",
    }
    whence |= {pictures.REFERENCE + n: f"{{}} comes from “{one.name}”" for n, one in enumerate(made.history.files)}
    told = [
        whence[code].format(f"{share:.0%}")
        for code, share in sorted(made.shares.items(), key=lambda source: -source[1])
        if share >= LEAST_TOLD
    ]
    parts = f" Of all that was filled, {', '.join(told)}." if told else ""
    broken = " broken" if made.changed_pixels else ""
    return f'<div class="known{broken}" role="status"><p><b>Filled.</b> {kept}{escape(parts)}</p></div>'


def facts(made: Made) -> str:
    """What is known of a result, and what the judge says of it."""
    width, height = made.size
    pairs = {
        "Known pixels": f"{made.changed_pixels:,} of {made.known_pixels:,} known pixels changed",
        "Engine": made.engine,
        "Runs on": made.runtime,
        "Seed": str(made.seed),
        "Size": f"{width:,} × {height:,}",
        "Time": f"{made.seconds:.1f} s",
    }
    listed = "".join(f"<div><dt>{term}</dt><dd>{escape(text)}</dd></div>" for term, text in pairs.items())
    notes = "".join(f"<li>{escape(in_terms_of_the_page(note))}</li>" for note in made.notes)
    return f"<dl>{listed}</dl>" + (f"<ul>{notes}</ul>" if notes else "") + judged(made)


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
    judge = verdicts[0][1]
    return (
        f'<div class="panel"><h2>Still the same person?</h2>{bars}<p>With this judge '
        f"{judge.false_match_rate:.1%} of strangers pass for the same person. {CAVEAT}</p></div>"
    )


def _likely(verdict: faceinp.Verdict) -> str:
    return "likely the same" if verdict.same else "not recognised"


def judged(made: Made) -> str:
    """What the judge says, with the floor beside it; or why there is none."""
    if made.likeness is None:
        return f'<div class="panel"><h2>Identity</h2>No judge: {plain(made.no_judge)}<p>{CAVEAT}</p></div>'
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
        '<div class="panel"><h2>Identity</h2><table><thead><tr><th>Same person as on</th>'
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


def cards(outcomes: Sequence[Made | Failed]) -> str:
    """Engines beside each other, as pictures of what each made; empty for none."""
    figures = []
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            figures.append(
                f'<figure class="failed"><p>{plain(outcome.reason)}</p>{_under(outcome.engine, "")}</figure>'
            )
            continue
        shown = pictures.data_uri(pictures.shrunk(pictures.read(outcome.face).pixels, pictures.GRID_SIDE), ".jpg")
        picture = f'<img alt="The face as {escape(outcome.engine)} filled it" src="{shown}">'
        figures.append(f"<figure>{picture}{_under(outcome.engine, f'{outcome.seconds:.1f} s')}</figure>")
    return f'<div class="cards">{"".join(figures)}</div>' if figures else ""


def _under(engine: str, said: str) -> str:
    return f"<figcaption><b>{escape(engine)}</b><span>{said}</span></figcaption>"


def table(outcomes: Sequence[Made | Failed]) -> str:
    """Engines beside each other: time, seam, identity; empty for none."""
    if not outcomes:
        return ""
    rows = []
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            rows.append(f'<tr><td>{outcome.engine}</td><td class="why" colspan="4">{plain(outcome.reason)}</td></tr>')
            continue
        verdict = outcome.likeness.verdict if outcome.likeness else None
        rows.append(
            f"<tr><td>{outcome.engine}</td><td>{outcome.seconds:.2f} s</td><td>{outcome.seam:+.2f}</td>"
            f"<td>{_same(verdict) if verdict else '–'}</td><td>{outcome.changed_pixels:,}</td></tr>"
        )
    made = [outcome for outcome in outcomes if isinstance(outcome, Made)]
    judge = next((one.likeness.verdict.judge for one in made if one.likeness), "")
    reason = next((one.no_judge for one in made if one.no_judge), "")
    by = f"Judge: {escape(judge)}." if judge else f"No judge: {plain(reason)}" if reason else ""
    floor = next((one.likeness.floor for one in made if one.likeness), None)
    blank = f" A blank hole alone: {floor.probability:.1%}, {floor.distance.euclidean:.3f}." if floor else ""
    return (
        '<div class="panel"><table><thead><tr><th>Engine</th><th>Time</th><th>Seam</th>'
        "<th>Same person</th><th>Changed</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table><p>Seam: how much steeper the picture is over the hole's edge "
        f"than beside it, in grey levels; 0 is none. Changed: known pixels that are not what they were. {by}{blank} "
        f"<strong>{CAVEAT}</strong></p></div>"
    )


def legend(made: Made, view: str) -> str:
    """What each colour of the view "Where it comes from" means, and its part of the hole; empty for other views."""
    if view != pictures.SOURCES:
        return ""
    meanings = {
        pictures.ENGINE: f"drawn by {made.engine}",
        pictures.SYMMETRY: "mirrored from the other half of the face",
        pictures.SURROUNDINGS: "continued from the surroundings",
    }
    meanings |= {pictures.REFERENCE + index: f"from “{one.name}”" for index, one in enumerate(made.history.files)}
    entries = "".join(
        f'<li><i style="background:rgb{pictures.source_colour(code)}"></i>{share:.1%} {escape(meanings[code])}</li>'
        for code, share in sorted(made.shares.items(), key=lambda source: -source[1])
    )
    return f"<ul>{entries}</ul>"
