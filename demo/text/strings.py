"""The texts of the page, plain or as HTML. Text from the library and names of files are escaped."""

import re
from collections.abc import Sequence
from html import escape

import numpy as np

import faceinp

from ..fills import filling
from ..fills.jobs import Running
from ..images import pictures
from ..server.uploads import without_folders

TITLE = "Restore a photo"
LEAD = (
    "Mark scratches, glasses or anything else that hides a face, and have it replaced. The rest of your photo stays "
    "exactly as it was."
)
DISCLAIMER = (
    "The filled area is invented by a neural network or copied from elsewhere; it does not show what was really there. "
    "Do not use it to identify or deceive anyone, and do not fill a face from another person's photo. The neural "
    "networks are for research only. Your photos stay on the server that runs this page. They are deleted when you "
    "load another photo or leave, the last copies a few minutes later."
)

# Step 1: the photo
STEPS = ("Photo", "What to remove", "Result")
CHOOSE_PHOTO = "Choose a photo"  # on touch screens, where nothing can be dropped
CHOOSE_OTHERS = "Choose photos"
EXAMPLES = "<p class='hint'>No photo at hand? Try one of these:</p>"
NO_PHOTO = "Load a photo first."

# Step 2: what to remove
MARK = "<h2>What to remove?</h2><p class='hint'>Paint over it in the photo, or let the program find it:</p>"
PAINT_HERE = "Paint over what you want to remove"
NOTHING_MARKED = "Paint over what you want to remove, or let the program find it. Then press Fill."
MARKED = "The painted area will be replaced. Press Fill, or paint over more."
TURN = "Turn"
RECTANGLE = "Rectangle"
RECTANGLE_HINT = (
    "<p class='hint'>Drag a rectangle over the area, or click two of its corners. "
    "<span>Keyboard: arrow keys, Enter at each corner, Esc.</span></p>"
)
SHAPES = "Ready-made shapes and masks"
NO_PRESET = "Choose one"
MASK_INVERTED = "Mask inverted."
MASK_GROWN = "The mask is slightly larger now."
WHITE_ASSUMED = (
    "It is unclear whether white or black marks the area to remove, so white was used. Press Invert if it should be "
    "black."
)
FIND = {"damage": "Find scratches", "occluders": "Find glasses, mask or hand"}
SEARCHING = {"damage": "Looking for damage …", "occluders": "Looking for glasses, masks and hands …"}
NOTHING_FOUND = {
    "damage": "No damage was found",
    "occluders": "Nothing was found in front of a face",
}
KINDS = {
    "scratch": "scratches",
    "spot": "spots",
    "tear": "tears",
    "stain": "stains",
    "stamp": "stamps or writing",
    "glasses": "glasses",
    "protective-mask": "a mask",
    "hand": "a hand",
    "hair": "hair",
    "other": "something else",
}
MIN_KIND_SHARE = {"damage": 0.03, "occluders": 0.1}  # of what was found: less is only pixels at the edges of others
CORRECT_PROPOSAL = "It is painted in blue: correct it with the brush and the eraser, then press Fill."
SENSITIVITY = "Find less or more"
STAMPS = "Also find stamps and writing"

# Which face?
WHICH_FACE = "Which face?"
EVERY_FACE = "every face I paint over"
BOX = "a box that I click"
POINTS = "five points that I click"
ALIGNED = "the photo is an aligned face crop"
ONE_FACE = "One face was found."
SEVERAL_FACES = "{} faces were found. Every face you paint over is filled. To fill only one, open “Which face?”."
NO_FACE = (
    "No face was found in the photo, so the area you paint over will be filled from its surroundings. If the photo is "
    "sideways, press Turn. If it shows a face, open “Which face?” and click a box around it."
)
NO_FACE_TO_SEARCH = (
    "No face was found in the photo, so nothing could be searched for. If it shows a face, open “Which face?” and "
    "click a box around it."
)
NOT_UPRIGHT = "It is unclear which way up the photo is. Press Turn until it is upright, four times if it is already."
CLICK_BOX = (
    "Click one corner of a box around the face, from the eyebrows to the chin.",
    "Now click the opposite corner.",
)
BAD_BOX = f"That box is too small or too narrow for a face. {CLICK_BOX[0]}"
FIVE_POINTS = (
    "the eye on the left",
    "the eye on the right",
    "the tip of the nose",
    "the left corner of the mouth",
    "the right corner of the mouth",
)
CLICK_POINTS = tuple(
    f"Point {number} of 5: click {point} (as seen on an upright face)." for number, point in enumerate(FIVE_POINTS, 1)
)
CLICKED = "The face is marked. Paint over what you want to remove, then press Fill."
NOT_CLICKED = (
    "The face is not marked yet. Open “Which face?” and click the face in the picture there, or choose another option."
)
CLEAR_CLICKS = "Click again"

# Other photos of this person
OTHERS_TITLE = "Other photos of this person"
OTHERS_HINT = (
    "<p class='hint'>The person's real features are copied from these photos where they fit. A photo that is only "
    "compared shows whether the result still looks like the person. Add up to four; they are deleted with your photo."
    "</p>"
)
NO_OTHER_PHOTO = "Add a photo under “Other photos of this person” first, and choose “use to fill”."
UNCONFIRMED = "It may not show the same person."
UNCHECKED = "Use these photos anyway, without checking that they show the same person"

# Filling, and settings
FILL = "Fill"
FILL_AGAIN = "Fill again"
FILLING = "Filling … Press Cancel to stop."
STOPPED = "Stopped. Nothing was changed."
SETTINGS = "Not right yet? Engines and settings"
SYMMETRY = "Use the other half of the face"
ABOUT_SYMMETRY = "A hidden eye is replaced by a mirror image of the other eye, where that fits."
ONE_VARIANT = "This engine makes the same picture with every seed, so there is only one variant."

# Step 3: the result
CONTINUE = "Continue from here"
CONTINUED = "The result is your photo now. Paint over what else you want to remove."
BACK = "Back to painting"
VARIANTS = "Variants, most similar first"
RESULTS = "Results, newest first"
SOURCES = {
    pictures.SYMMETRY: "mirrored from the other half of the face",
    pictures.ENGINE: "invented",
    pictures.SURROUNDINGS: "continued from its surroundings",
}

# Comparing engines
COMPARE = "Fills the photo of the first tab with several engines, one after the other, to compare them."
COMPARE_FIRST = "Load a photo in the first tab and paint over what you want to remove. Then press Compare."
FIGURES = "Measurements: time, seam, identity"
NO_ENGINE = "Choose at least one engine."

# The library's messages name options of the command line and of Python; the page has buttons instead.
PAGE_TERMS = (
    (r", or specify another face with --face, --box or --points \(.*?\)", ", or choose another face"),
    (r" Run: pip install 'faceinp\[heic\]'", " It is not installed here. Save the photo as JPEG."),
    (r"use --mask-hole (?:white|black)", "press Invert"),
    (r" \([^()]*(?:--|=|FaceLocation)[^()]*\)", ""),
)


def steps(current: int) -> str:
    """The three steps with the current one (1 to 3) highlighted; the style shows the controls of that step."""
    entries = "".join(
        f"<li{' aria-current=step tabindex=-1' if number == current else ''}><b>{number}</b> {name}</li>"
        for number, name in enumerate(STEPS, 1)
    )
    return f'<ol class="steps at-{current}">{entries}</ol>'


def message(text: str, error: bool = False) -> str:
    """A message box; empty for no text."""
    if not text:
        return ""
    kind, role = ("message error", "alert") if error else ("message", "status")
    return f'<div class="{kind}" role="{role}">{escape(text)}</div>'


def page_terms(text: str) -> str:
    """An error or a note of the library, without options of the command line and of Python."""
    if re.search(r"--turn \d", text):
        return NOT_UPRIGHT
    for pattern, replacement in PAGE_TERMS:
        text = re.sub(pattern, replacement, text)
    return " ".join(sentence for sentence in re.split(r"(?<=\.) ", text) if " --" not in sentence)


def error_text(error: faceinp.FaceinpError) -> str:
    """An error in the page's terms, without the server's folders."""
    if isinstance(error, faceinp.NoFaceError) and "No face was found" in str(error):
        return NO_FACE
    return page_terms(without_folders(str(error)))


def search_error(error: faceinp.FaceinpError) -> str:
    """Why nothing could be searched for."""
    text = error_text(error)
    return NO_FACE_TO_SEARCH if text == NO_FACE else text


def failure(error: faceinp.FaceinpError) -> str:
    """Why there is no result; a visitor who stopped the fill gets no alarm."""
    if isinstance(error, faceinp.Cancelled):
        return message(STOPPED)
    return message(error_text(error), error=True)


def server_text(text: str) -> str:
    """A text of the library about this server, without its folders, as HTML."""
    return escape(without_folders(text))


def server_state(text: str) -> str:
    """What the server is loading."""
    return f'<span role="status">{server_text(text)}</span>' if text else '<i class="ready"></i>'


def faces_found(count: int, *, marked: bool) -> str:
    """How many faces were found, and what to do next. marked: whether something is painted over already."""
    if not count:
        return NO_FACE
    if count > 1:
        return SEVERAL_FACES.format(count)
    return f"{ONE_FACE} {MARKED if marked else NOTHING_MARKED}"


def _nothing_found(target: str, proposed: faceinp.Proposal) -> str:
    """That nothing is marked, and whether the slider helps."""
    if proposed.lowest_sensitivity() is None:
        return f"{NOTHING_FOUND[target]} at any position of the slider. Paint over it yourself."
    return f"{NOTHING_FOUND[target]}. Move the slider to find more, or paint over it yourself."


def proposal(target: str, proposed: faceinp.Proposal) -> str:
    """What a search found, with its notes. target: what it searched for, ``damage`` or ``occluders``."""
    shares = sorted(proposed.shares.items(), key=lambda kind: -kind[1])
    kinds = ", ".join(KINDS[kind] for kind, share in shares if share >= MIN_KIND_SHARE[target] * proposed.share)
    marked = f"{proposed.share:.2%}" if proposed.share >= 0.0001 else "less than 0.01%"
    summary = (
        f"Found on {marked} of the photo: {kinds}. {CORRECT_PROPOSAL}" if shares else _nothing_found(target, proposed)
    )
    return message("\n".join([summary, *(page_terms(without_folders(note)) for note in proposed.notes)]))


def marked_share(share: float) -> str:
    """How much of the photo is painted over, 0 to 1."""
    percent = f"{share:.1%}" if share >= 0.01 else f"{share:.2%}"
    return f'<span role="status">{percent} marked</span>' if share else ""


def about_engine(name: str | None, pixels: int | None = None) -> str:
    """One line about an engine, and the time it takes. pixels: height * width of the photo."""
    about = next((engine.about for engine in faceinp.list_engines() if engine.answers_to(name)), None)
    if name is None or about is None:
        return "No engine can run on this server."
    return f"{about.rstrip('.')}. Takes about {_seconds(filling.expected(name, pixels))} here."


def engines_title() -> str:
    """The heading of the table of engines."""
    engines = faceinp.list_engines()
    missing = sum(not engine.ready for engine in engines)
    return f"All {len(engines)} engines" + (f", {missing} of them not available on this server" if missing else "")


def engines() -> str:
    """The table of engines: one line about each, the time it takes, or why it cannot run here."""
    rows = "".join(
        f'<tr><td>{engine.name}</td><td class="why">{escape(engine.about)}'
        + (
            f"</td><td>{_seconds(filling.expected(engine.name))}</td></tr>"
            if engine.ready
            else f"<p>{server_text(engine.missing)}</p></td><td>not here</td></tr>"
        )
        for engine in faceinp.list_engines()
    )
    return f'<div class="panel"><table><tbody>{rows}</tbody></table></div>'


def progress(running: Running) -> str:
    """The progress of a job: a bar, the time left, the newest preview and the curve of its loss."""
    if running.started is None:
        ahead = f"{running.before} job{'s' * (running.before > 1)} ahead of yours."
        return message(f"In the queue. {ahead}" if running.before else "Starting …")
    name = f"{running.engine}, {running.index + 1} of {running.count}" if running.count > 1 else running.engine
    left = running.left
    remaining = f"about {_seconds(left)} left" if left is not None else "working"
    curve = pictures.curve(running.curve)
    preview = ""
    if running.preview is not None and running.curve:
        pixels = (running.preview.transpose(1, 2, 0) * 255).round().clip(0, 255).astype(np.uint8)
        preview = f'<img alt="Preview" src="{pictures.data_uri(pixels)}">'
    percent = round(100 * running.share)
    return (
        '<div class="panel running"><div class="bar" role="progressbar" aria-label="Progress" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent}"><i style="width:{percent}%"></i></div>'
        f"<span>{escape(name)}</span><span>{remaining}</span><div>{curve}</div>{preview}</div>"
    )


def no_face_in(name: str) -> str:
    """Why another photo of the person is refused."""
    return f"No face was found in {name}. Choose a photo that shows the face larger, or turned away less."


def too_many_photos(name: str) -> str:
    """Why one more photo is refused."""
    return f"You can add up to four photos; {name} was not added."


def thumbnail(data_uri: str) -> str:
    """The small picture of another photo; empty without one."""
    return f'<img alt="" src="{data_uri}">' if data_uri else ""


def reference_use(reference: faceinp.Reference) -> str:
    """How much of the filled area was copied from a reference photo, or why nothing was."""
    if reference.problem:
        return without_folders(reference.problem)
    copied = f"{reference.share:.1%} of the filled area was" if reference.share else "Nothing was"
    return f"{copied} copied from this photo." + (f" {UNCONFIRMED}" if reference.note else "")


def source(code: int, names: Sequence[str]) -> str:
    """The source of filled pixels. code: as in ``faceinp.Result.sources``. names: of the reference photos."""
    return SOURCES.get(code) or f"copied from “{names[code - pictures.REFERENCE]}”"


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return "a second"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
