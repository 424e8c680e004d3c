"""The texts about landmarks: the names of all 68, and how to move them."""

MOVE_LANDMARKS = "Change the expression"
HOW_TO_MOVE = (
    "Drag the face’s points (its landmarks) or use the sliders, then fill again. Faint lines lie outside the filled "
    "area and do not move."
)
LANDMARKS = "The face’s landmarks"
LANDMARK_KEYS = (
    "Keyboard: Tab selects a feature, Page Up and Page Down one of its points; arrow keys move the point, with Shift "
    "ten times as far."
)
DIRECTIONS = ("left", "right", "up", "down")
EXPRESSIONS = {"mouth": "Mouth open", "smile": "Smile", "lids": "Eyes open", "turn": "Head turned"}
FILL_WITH_LANDMARKS = "Fill again with these points"
RESET_LANDMARKS = "Reset"
NOT_THESE_LANDMARKS = "These points do not belong to this result. Move them again."
# The name of each row of landmarks, by its first one in iBUG's order; left and right as seen in the picture.
LANDMARK_ROWS = {
    0: "Jaw, left side",
    8: "Chin",
    9: "Jaw, right side",
    17: "Left brow",
    22: "Right brow",
    27: "Bridge of the nose",
    30: "Tip of the nose",
    31: "Nostrils",
    36: "Left eye, outer corner",
    37: "Left eye, upper lid",
    39: "Left eye, inner corner",
    40: "Left eye, lower lid",
    42: "Right eye, inner corner",
    43: "Right eye, upper lid",
    45: "Right eye, outer corner",
    46: "Right eye, lower lid",
    48: "Left corner of the mouth",
    49: "Upper lip",
    54: "Right corner of the mouth",
    55: "Lower lip",
    60: "Left corner between the lips",
    61: "Upper lip, inside",
    64: "Right corner between the lips",
    65: "Lower lip, inside",
}


def landmark_names() -> tuple[str, ...]:
    """The names of the 68 landmarks: the row, and the number within it if it has several."""
    starts = [*LANDMARK_ROWS, 68]
    return tuple(
        name if end - start == 1 else f"{name}, {number} of {end - start}"
        for (start, name), end in zip(LANDMARK_ROWS.items(), starts[1:], strict=True)
        for number in range(1, end - start + 1)
    )
