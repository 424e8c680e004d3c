"""The texts of a result, plain or as HTML. Text from the library and names of files are escaped."""

from collections.abc import Callable, Mapping, Sequence
from html import escape

import faceinp

from ..fills import naturalness
from ..fills.filling import FillResult
from ..fills.jobs import FailedFill
from ..images import pictures
from .strings import RESULTS, VARIANTS, page_terms, server_text, source

IDENTITY = "Still the same person?"
FOR_EXPERTS = "For experts: seed, seam, distances"
SEAM = (
    "Seam: how much more the picture changes across the edge of the filled area than next to it, in grey levels of 0 "
    "to 255. At 0 or below, the edge is invisible."
)
DISTANCE = (
    "Distance: how different two faces are to the judge, a neural network for face recognition, from 0 to 2. Below the "
    "threshold they count as one person."
)
CAVEAT = "A likeness score, not evidence of identity."
NO_INDEPENDENT_PHOTO = "All other photos were used to fill, so none is left for an independent comparison."
ANOTHER_PHOTO_HELPS = "If the photo itself is damaged, a comparison with another photo of the person says more."
MIN_SHARE = 0.02  # of the filled area: smaller sources are named together, as the rest


def outcome(result: FillResult) -> str:
    """What was done, in a sentence or two."""
    kept = f"The other {result.known_pixels:,} pixels are exactly as they were."
    if result.changed_pixels:
        kept = f"{result.changed_pixels:,} of the other {result.known_pixels:,} pixels were changed by mistake."
    notes = f" Of the filled area, {_sources(result)}." if result.shares else ""
    for number, file in enumerate(result.history.files):
        if file in result.history.doubtful and result.shares.get(pictures.REFERENCE + number):
            notes += f" “{file.name}” may not show the same person."
    broken = " broken" if result.changed_pixels else ""
    return f'<div class="known{broken}" role="status"><p><b>Filled.</b> {kept}{escape(notes)}</p></div>'


def _sources(result: FillResult) -> str:
    """The share of each source of the filled area, the largest first and the smallest together."""
    shares = [(source(code, _names(result)), share) for code, share in _largest_first(result)]
    rest = " or ".join(name for name, share in shares if share < MIN_SHARE)
    most = 0.99 if rest else 1.0  # where there is a rest, nothing is all of it
    parts = [f"{min(share, most):.0%} is {name}" for name, share in shares if share >= MIN_SHARE]
    return ", ".join([*parts, f"the rest is {rest}"] if rest else parts)


def _names(result: FillResult) -> list[str]:
    return [file.name for file in result.history.files]


def _largest_first(result: FillResult) -> list[tuple[int, float]]:
    return sorted(result.shares.items(), key=lambda code_and_share: -code_and_share[1])


def facts(result: FillResult) -> str:
    """The details of a result: everyday facts, what the judge says, and, folded up, figures for experts."""
    width, height = result.size
    changed = f"{result.changed_pixels:,} of {result.known_pixels:,} changed"
    entries = {
        "Unmarked pixels": changed if result.changed_pixels else f"all {result.known_pixels:,} unchanged",
        "Engine": result.engine,
        "Size": f"{width:,} × {height:,} pixels",
        "Time": f"{result.seconds:.1f} s",
    }
    notes = "".join(f"<li>{escape(page_terms(note))}</li>" for note in result.notes)
    return _terms(entries) + (f"<ul>{notes}</ul>" if notes else "") + judged(result) + _for_experts(result)


def _terms(pairs: Mapping[str, str]) -> str:
    entries = (f"<div><dt>{term}</dt><dd>{escape(text)}</dd></div>" for term, text in pairs.items() if text)
    return f"<dl>{''.join(entries)}</dl>"


def identity(result: FillResult) -> str:
    """Whether the result still looks like the person, by each photo that was only compared; empty without one."""
    if result.likeness is None:
        return ""
    verdicts = [
        (file.name, other.filled)
        for file, other in zip(result.others, result.likeness.others, strict=True)
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
        f'<div class="panel"><h2>{IDENTITY}</h2>{bars}<p>A program compared the faces. It '
        f"{_strangers(verdicts[0][1])} {CAVEAT}</p></div>"
    )


def _likely(verdict: faceinp.Verdict) -> str:
    return "likely the same" if verdict.same else "not recognised"


def judged(result: FillResult) -> str:
    """How likely the filled face is still the person's, beside the floor; or why nothing was compared."""
    if result.likeness is None:
        return (
            f'<div class="panel"><h2>{IDENTITY}</h2><p>Nothing was compared: {server_text(result.no_judge)}</p></div>'
        )
    likeness = result.likeness
    hint = "" if likeness.second else NO_INDEPENDENT_PHOTO if likeness.others else ANOTHER_PHOTO_HELPS
    return (
        f'<div class="panel"><h2>{IDENTITY}</h2>{_compared(result, _percent)}'
        "<p>How likely both faces belong to one person, according to a program. It "
        f"{_strangers(likeness.verdict)} “Hole left blank” is the same figure without the filled area: if “Filled” is "
        "higher, the fill helped. "
        f"{escape(hint)}</p><p><strong>{CAVEAT}</strong></p></div>"
    )


def _compared(result: FillResult, figure: Callable[[faceinp.Verdict], str]) -> str:
    """A table with a row for each photo in the comparison: the figure of the fill, and of a blank hole."""
    likeness = result.likeness
    if likeness is None:
        return ""
    cells = f"<tr><td>this photo</td><td>{figure(likeness.original)}</td><td>{figure(likeness.floor)}</td></tr>"
    for file, other in zip(result.others, likeness.others, strict=True):
        compared = (
            f'<td class="why" colspan="2">{escape(other.left_out)}</td>'
            if other.filled is None or other.floor is None
            else f"<td>{figure(other.filled)}</td><td>{figure(other.floor)}</td>"
        )
        cells += f"<tr><td>{escape(file.name)}</td>{compared}</tr>"
    heads = "<th>Compared with</th><th>Filled</th><th>Hole left blank</th>"
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table>"


def _for_experts(result: FillResult) -> str:
    """Seed, runtime, seam and the judge's distances, folded up."""
    entries = {"Seed": str(result.seed), "Runs on": result.runtime, "Seam": f"{result.seam:+.2f} grey levels"}
    details = f"<p>{SEAM}</p>"
    if result.likeness is not None:
        verdict = result.likeness.verdict
        entries |= {"Judge": verdict.judge, "Threshold": f"{verdict.threshold:.3f}"}
        notes = "".join(f"<p>{escape(note)}</p>" for note in verdict.notes)
        details += f"<h2>Distances</h2>{_compared(result, _distance)}<p>{DISTANCE}</p>{notes}"
    return f'<details class="panel"><summary>{FOR_EXPERTS}</summary>{_terms(entries)}{details}</details>'


def _percent(verdict: faceinp.Verdict) -> str:
    return f"{verdict.probability:.1%}"


def _distance(verdict: faceinp.Verdict) -> str:
    return f"{verdict.distance.euclidean:.3f}"


def _strangers(verdict: faceinp.Verdict) -> str:
    return f"mistakes {verdict.false_match_rate:.1%} of strangers for the same person."


def variants(results: Sequence[FillResult]) -> str:
    """The heading of several results."""
    return RESULTS if any(result.about for result in results) else VARIANTS


def captions(results: Sequence[FillResult]) -> list[str]:
    """The captions of several results."""
    by_part = any(result.about for result in results)
    return [f"{number}. {_caption(result, by_part)}" for number, result in enumerate(results, 1)]


def _caption(result: FillResult, by_part: bool) -> str:
    """by_part: whether single parts were filled again, so that captions name parts instead of seeds."""
    if by_part:
        return result.about or "all parts"
    score = f", {result.likeness.verdict.probability:.0%} same" if result.likeness else ""
    return f"seed {result.seed}{score}"


def card(outcome: FillResult | FailedFill) -> str:
    """The picture that one of several engines made, or why it failed."""
    if isinstance(outcome, FailedFill):
        return f'<figure class="failed"><p>{server_text(outcome.reason)}</p>{_under(outcome.engine, "")}</figure>'
    shown = pictures.data_uri(pictures.shrunk(pictures.read(outcome.face).pixels, pictures.GRID_SIDE), ".jpg")
    picture = f'<img alt="The face as {escape(outcome.engine)} filled it" src="{shown}">'
    figure = _naturalness(outcome)
    natural = "" if figure is None else f"<small>naturalness {figure:.{2 if figure < 10 else 0}f} (best: 0)</small>"
    return f"<figure>{picture}{_under(outcome.engine, f'{outcome.seconds:.1f} s', natural)}</figure>"


def _naturalness(result: FillResult) -> float | None:
    """The naturalness of the engine's fills; None where other photos helped, for which it was not measured."""
    if any(code >= pictures.REFERENCE for code in result.shares):
        return None
    return naturalness.measured(result.hole_like, result.engine, pictures.SYMMETRY in result.shares)


def about_naturalness(outcomes: Sequence[FillResult | FailedFill]) -> str:
    """What the naturalness under the cards means; empty where none has one."""
    result = [one for one in outcomes if isinstance(one, FillResult) and _naturalness(one) is not None]
    if not result:
        return ""
    hole = faceinp.list_presets()[result[0].hole_like]
    return (
        "<p class='hint'>Naturalness: how much the engine’s results differ from real photos, measured on other "
        f"people’s photos with a similar hole ({hole}). Smaller is better; 0 is no difference.</p>"
    )


def _under(engine: str, time: str, below: str = "") -> str:
    return f"<figcaption><b>{escape(engine)}</b><span>{time}</span>{below}</figcaption>"


def table(outcomes: Sequence[FillResult | FailedFill]) -> str:
    """The table of engines: time, likeness, seam; empty for none."""
    if not outcomes:
        return ""
    rows = []
    for outcome in outcomes:
        if isinstance(outcome, FailedFill):
            rows.append(
                f'<tr><td>{outcome.engine}</td><td class="why" colspan="4">{server_text(outcome.reason)}</td></tr>'
            )
            continue
        verdict = outcome.likeness.verdict if outcome.likeness else None
        probability = f"{_percent(verdict)}<small>distance {_distance(verdict)}</small>" if verdict else "–"
        rows.append(
            f"<tr><td>{outcome.engine}</td><td>{outcome.seconds:.2f} s</td><td>{probability}</td>"
            f"<td>{outcome.seam:+.2f}</td><td>{outcome.changed_pixels:,}</td></tr>"
        )
    result = [outcome for outcome in outcomes if isinstance(outcome, FillResult)]
    likeness = next((one.likeness for one in result if one.likeness), None)
    reason = next((one.no_judge for one in result if one.no_judge), "")
    same = f"<p>Same person: nothing was compared, {server_text(reason)}</p>" if reason else ""
    if likeness is not None:
        floor = likeness.floor
        same = (
            f"<p>Same person: how likely the face is still the person’s, according to the judge "
            f"{escape(floor.judge)}. It {_strangers(floor)} With the hole left blank the figure is {_percent(floor)}, "
            f"distance {_distance(floor)}. <strong>{CAVEAT}</strong></p><p>{DISTANCE}</p>"
        )
    return (
        '<div class="panel"><table><thead><tr><th>Engine</th><th>Time</th><th>Same person</th><th>Seam</th>'
        f"<th>Unmarked pixels changed</th></tr></thead><tbody>{''.join(rows)}</tbody></table>{same}<p>{SEAM}</p></div>"
    )


def legend(result: FillResult, view: str) -> str:
    """What each colour of the view of sources means, and its share of the filled area; empty for other views."""
    if view != pictures.SOURCES:
        return ""
    entries = "".join(
        f'<li><i style="background:rgb{pictures.source_colour(code)}"></i>{share:.1%} '
        f"{escape(source(code, _names(result)))}</li>"
        for code, share in _largest_first(result)
    )
    return f"<ul>{entries}</ul>"
