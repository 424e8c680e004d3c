"""What the page says, as text or HTML. What comes from elsewhere is escaped."""

from collections.abc import Sequence
from html import escape

import numpy as np

import faceinp

from . import filling, pictures
from .filling import ReferenceUse
from .jobs import Running
from .regions import Parts
from .uploads import without_folders

TITLE = "Restore a photo"
LEAD = "Scratches, glasses, a hidden eye: mark what should go. The rest of your photo stays exactly as it was."
LIMITS = (
    "The filled area is invented by a neural network or taken from elsewhere; it does not show what was there. Never "
    "use it to identify or to deceive anyone, and never fill a face from another person's photo. The weights are for "
    "research only. Photos stay on the machine that serves this page and are deleted when you load another one or "
    "leave, the last copies minutes later."
)
STEPS = ("Photo", "What should go", "Result")
CHOOSE_PHOTO, CHOOSE_OTHERS = "Choose a photo", "Choose photos"  # where fingers press, which drop nothing
EXAMPLES = "<p class='hint'>No photo at hand? Try one of these:</p>"
MARK = "<h2>What should go?</h2><p class='hint'>Paint over it in the photo, or have it found:</p>"
NO_PHOTO = "Load a photo first."
NO_STROKE = "Paint over what should go, or have it found. Then press Fill."
MARKED = "What should go is marked. Press Fill, or paint over more of it."
ONE_FACE = "One face was found."
SEVERAL_FACES = "{} faces were found. Every face that you paint over is filled; under “Which face?” you can choose one."
NO_FACE = (
    "No face was found in the photo, so what you paint over will be filled from its surroundings. If the photo lies on "
    "its side, press Turn. If it shows a face, open “Which face?” and click a box around it."
)
NOT_UPRIGHT = "It is not certain how the photo lies. Press Turn until it stands upright, four times if it does already."
WHITE_TAKEN = "Either tone of it may be the hole: white was taken. Press Invert if it is the other one."
FLAGS = (  # what errors and notes say of the shell, and what they say on the page
    (" If it hides a face, specify where: --box or --points (face=FaceLocation.box, FaceLocation.points).", ""),
    (" For a better fill, specify the five points of the face (--points).", ""),
    (", or specify another face with --face, --box or --points (face=FaceLocation...)", ", or choose another face"),
    (" (references=, --reference)", ""),
    (" Run: pip install 'faceinp[heic]'", " It is not installed here. Save the photo as JPEG."),
    (" Choose another one with --page (page= of read_photo).", ""),
)
WHICH_FACE = "Which face?"
EVERY_FACE = "every face I paint over"
BOX, POINTS, ALIGNED = "a box that I click", "five points that I click", "the photo is an aligned face crop"
CLICK_BOX = ("Click one corner of a box around the face, from brows to chin.", "Now click the opposite corner.")
NO_BOX = f"That is too small, flat or narrow for a face. {CLICK_BOX[0]}"
CLICK_POINTS = tuple(
    f"Click {place}, as seen on an upright face: point {number} of 5."
    for number, place in enumerate(
        (
            "the eye on the left",
            "the eye on the right",
            "the tip of the nose",
            "the left corner of the mouth",
            "the right corner of the mouth",
        ),
        1,
    )
)
CLICKED = "The face is marked. Paint over what should go, then press Fill."
NOT_CLICKED = "The face is not marked yet. Open “Which face?” and click it in the picture there, or choose another way."
TURN = "Turn"
RECTANGLE = "Rectangle"
RECTANGLE_HINT = (
    "<p class='hint'>Drag a rectangle over it, or press on two of its corners. "
    "<span>Keyboard: arrow keys, Enter at each corner, Esc.</span></p>"
)
SHAPES = "Ready-made shapes and masks"
SETTINGS = "Not right yet? Engines and settings"
FILL, FILL_AGAIN = "Fill", "Fill again"
GO_ON = "Go on from here"
BACK = "Back to painting"
PART = "This part again"
PARTS = "What was filled, in parts"
WHICH_PART = "Which part? Click it, or choose its number."
PART_WITH = "Fill it with"
FILL_PART = "Fill this part again"
SMALL_PARTS = "all small ones"
PART_SOURCES = {
    "other half": "the other half of the face",
    "photos": "another photo of the person",
    "anew": "something else that is invented",
    "put back": "what was there before",
}
SURROUNDINGS_ANEW = "its surroundings, anew"
PART_NOW, PART_NOW_MOSTLY = "Now: {}.", "Now: mostly {}."
PART_SHOWS = {
    pictures.SYMMETRY: "the other half, mirrored",
    pictures.ENGINE: "invented",
    pictures.SURROUNDINGS: "continued from its surroundings",
}
NO_OTHER_PHOTO = "Add a photo under “Other photos of this person” first, and choose “use to fill”."
PART_FILLED = "The part was filled again, and nothing else was changed. The earlier result is kept."
PUT_BACK_SAID = "The part is as it was in your photo again. The earlier result is kept."
SHOW_EARLIER, SHOW_NEWER = "Show the earlier result", "Show the newer result"
EARLIER_SHOWN = "This is the earlier result. The newer one is kept, too."
NEWER_SHOWN = "This is the newer result. The earlier one is kept, too."
NOT_FROM = {
    "other half": "The other half of the face does not fit here, so the part was invented. Details say why.",
    "photos": "No other photo fits here, so the part was invented. Details say why.",
}
SAME_AGAIN = "The part came out the same as before: {}."
SAME_BECAUSE = {  # by where it comes from
    pictures.ENGINE: "this engine invents one picture only. Choose another engine, or move the landmarks, under “Not "
    "right yet?”",
    pictures.SYMMETRY: "it showed the other half of the face already",
    pictures.SURROUNDINGS: "it is continued from its surroundings, and there is one way only to do so",
    pictures.REFERENCE: "it showed another photo of the person already",
}
VARIANTS, RESULTS = "Variants, most similar first", "Results, the newest first"
FIND = {"damage": "Find scratches", "occluders": "Find glasses, mask or hand"}
LOOKING = {"damage": "Looking for damage …", "occluders": "Looking for glasses, masks and hands …"}
NOTHING_FOUND = {
    "damage": "No damage was found",
    "occluders": "Nothing was found over a face",
}
KINDS = {
    **{"scratch": "scratches", "spot": "spots", "tear": "tears", "stain": "stains", "stamp": "stamps or writing"},
    **{"glasses": "glasses", "protective-mask": "a mask", "hand": "a hand", "hair": "hair", "other": "something else"},
}
# Of what is marked: kinds of less are pixels at the edges of others.
LEAST_KIND = {"damage": 0.03, "occluders": 0.1}
CORRECT = "It is painted in blue: correct it with brush and eraser, then press Fill."
NO_FACE_TO_SEARCH = (
    "No face was found in the photo, so nothing was looked for. If it shows one, open “Which face?” and click a box "
    "around it."
)
SENSITIVITY = "Find less or more"
STAMPS = "Stamps and writing, too"
FILLING = "Filling. Cancel stops it."
STOPPED = "Stopped. Nothing was changed."
EQUAL = "Other seeds change nothing with this engine, so there is one variant."
INVERTED = "The mask was inverted."
GROWN = "The mask is a little larger now."
WENT_ON = "The result is your photo now. Paint over what else should go."
NO_PRESET = "Choose one"
OTHERS_TITLE = "Other photos of this person"
OTHERS = (
    "<p class='hint'>The hole is filled with the person's real features from these photos where they fit. A photo that "
    "is only compared shows whether the fill still looks like the person. Up to four; they are deleted with your "
    "photo.</p>"
)
UNCONFIRMED = "It is not certain that it shows the same person."
UNCHECKED = "Use it anyway: do not check that these photos show the same person"
SYMMETRY = "Use the other half of the face"
ABOUT_SYMMETRY = "A hidden eye is filled with the other eye, mirrored, where that fits."
COMPARE = "The photo and the mask of the first tab through several engines, one after the other."
COMPARE_FIRST = "It takes a photo, and what should go marked on it; then press Compare."
FIGURES = "Figures: time, seam, identity"
NO_ENGINE = "Choose at least one engine."


def steps(current: int) -> str:
    """Where on the way one is: 1 the photo, 2 what should go, 3 the result. The page's style reads it."""
    entries = "".join(
        f"<li{' aria-current=step tabindex=-1' if number == current else ''}><b>{number}</b> {name}</li>"
        for number, name in enumerate(STEPS, 1)
    )
    return f'<ol class="steps at-{current}">{entries}</ol>'


def found_faces(count: int, *, marked: bool) -> str:
    """How many faces were found, and what to do next. marked: whether something is painted over already."""
    if not count:
        return NO_FACE
    if count > 1:
        return SEVERAL_FACES.format(count)
    return f"{ONE_FACE} {MARKED if marked else NO_STROKE}"


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
    kinds = ", ".join(KINDS[kind] for kind, share in shares if share >= LEAST_KIND[name] * proposal.share)
    marked = f"{proposal.share:.2%}" if proposal.share >= 0.0001 else "less than 0.01%"
    said = f"Found on {marked} of the photo: {kinds}. {CORRECT}" if shares else _nothing_found(name, proposal)
    return say("\n".join([said, *(in_terms_of_the_page(without_folders(note)) for note in proposal.notes)]))


def _nothing_found(name: str, proposal: faceinp.Proposal) -> str:
    """That nothing is marked, and whether the slider helps."""
    if proposal.lowest_sensitivity() is None:
        return f"{NOTHING_FOUND[name]} at any position of the slider. Paint over it yourself."
    return f"{NOTHING_FOUND[name]}. Move the slider to find more, or paint over it yourself."


def in_terms_of_the_page(text: str) -> str:
    """An error or a note without the shell's flags."""
    for flags, here in FLAGS:
        text = text.replace(flags, here)
    return NOT_UPRIGHT if "Say which: --turn" in text else text


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
    return f'<span role="status">{plain(text)}</span>' if text else '<i class="ready"></i>'


def about_engine(name: str | None, pixels: int | None = None) -> str:
    """The one line that an engine says of itself, and how long it takes. pixels: of the photo, height * width."""
    about = next((engine.about for engine in faceinp.list_engines() if engine.answers_to(name)), None)
    if name is None or about is None:
        return "No engine is ready here."
    return f"{about.rstrip('.')}. About {_seconds(filling.expected(name, pixels))} here."


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
            else f"<p>{plain(engine.missing)}</p></td><td>not here</td></tr>"
        )
        for engine in faceinp.list_engines()
    )
    return f'<div class="panel"><table><tbody>{rows}</tbody></table></div>'


def share(hidden: float) -> str:
    """How much of the photo is painted over."""
    figure = f"{hidden:.1%}" if hidden >= 0.01 else f"{hidden:.2%}"
    return f'<span role="status">{figure} marked</span>' if hidden else ""


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
        '<div class="panel running"><div class="bar" role="progressbar" aria-label="Progress" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent}"><i style="width:{percent}%"></i></div>'
        f"<span>{escape(which)}</span><span>{remaining}</span><div>{curve}</div>{preview}</div>"
    )


def no_face_on(name: str) -> str:
    """Why another photo of the person is not taken."""
    return f"No face was found in {name}. Choose a photo that shows it larger or less turned."


def no_room_for(name: str) -> str:
    """Why one photo more is not taken."""
    return f"Four photos at most: {name} was left out."


def thumb(data_uri: str) -> str:
    """The small picture of another photo; empty without one."""
    return f'<img alt="" src="{data_uri}">' if data_uri else ""


def part(number: int, parts: Parts) -> str:
    """What a part is called where it is chosen."""
    return SMALL_PARTS if parts.small and number == parts.count else str(number)


def part_source(source: str, *, on_face: bool) -> str:
    """What a part can be filled from, as it is chosen."""
    return SURROUNDINGS_ANEW if source == "anew" and not on_face else PART_SOURCES[source]


def part_now(codes: Sequence[int], names: Sequence[str]) -> str:
    """What a part shows now. codes: where it comes from, as in ``regions.Parts``. names: of reference photos."""
    if not codes:
        return ""
    code = codes[0]
    shows = PART_SHOWS[code] if code < pictures.REFERENCE else f"from “{names[code - pictures.REFERENCE]}”"
    return (PART_NOW if len(codes) == 1 else PART_NOW_MOSTLY).format(shows)


def same_again(codes: Sequence[int]) -> str:
    """That a part came out as it was, and why. codes: where it comes from, as in ``regions.Parts``."""
    return SAME_AGAIN.format(SAME_BECAUSE[min(codes[0], pictures.REFERENCE) if codes else pictures.ENGINE])


def part_again(number: int, parts: Parts, *, put_back: bool) -> str:
    """The line under a result in which one part was filled again, or put back as it was."""
    if parts.count == 1:
        return "filled again"
    part = "small ones" if parts.small and number == parts.count else f"part {number}"
    return f"{part} put back" if put_back else f"{part} again"


def used(reference: ReferenceUse) -> str:
    """What became of a reference photo: its part of the hole, or why it was left aside."""
    share = f"{reference.share:.1%}" if reference.share else "No part"
    doubt = f" {UNCONFIRMED}" if reference.note else ""
    return without_folders(reference.problem) or f"{share} of the hole comes from it.{doubt}"


def plain(text: str) -> str:
    """What the library says of this machine, without its folders, as HTML."""
    return escape(without_folders(text))


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return "a second"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
