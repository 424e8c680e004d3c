"""How the page looks: quiet greys, one accent, and fonts the reader's machine has."""

from pathlib import Path

import gradio as gr

from . import examples, pictures, shapes, words

SIDE = 440  # pixels, of the editor and the result
THUMB = 104  # pixels, of an example's small picture

_CSS = """
.gradio-container { max-width: 1480px !important; width: 100% !important; margin: 0 auto !important; }
.gradio-container { overflow: clip !important; } /* hidden, as Gradio has it, would keep #stage from sticking */
.main.app { width: 100%; padding: 18px 24px 14px !important; }
footer { display: none !important; }
.html-container { padding: 0 !important; }
.hint { margin: 0; font-size: .88rem; color: var(--body-text-color-subdued); }

/* The three steps: what belongs to the step of now is shown. */
#top { align-items: end; gap: 4px 20px; }
#head { flex: 1 1 auto !important; width: auto !important; }
#head h1 { font-size: 1.45rem; font-weight: 650; letter-spacing: -0.02em; margin: 0 0 2px; }
#head p { font-size: .95rem; color: var(--body-text-color-subdued); margin: 0; }
#state { flex: 0 1 auto !important; width: auto !important; }
#limits p, #state span { font-size: .82rem; color: var(--body-text-color-subdued); margin: 0; }
#fill-tab, #compare-tab { padding: 10px 0 0 !important; }
#board { display: grid; grid-template-columns: minmax(0, 1fr) 390px; gap: 10px 22px; align-items: start; }
#board > * { min-width: 0 !important; }
#steps { grid-column: 1 / -1; }
.steps { display: flex; gap: 8px 22px; margin: 0; padding: 0; list-style: none; font-size: .92rem;
  color: var(--body-text-color-subdued); }
.steps li { display: flex; gap: 8px; align-items: center; margin: 0 !important; outline-offset: 4px;
  border-radius: 4px; }
.steps b { display: grid; place-items: center; width: 24px; height: 24px; border-radius: 50%; font-size: .8rem;
  font-weight: 600; color: var(--body-text-color-subdued); border: 1px solid var(--border-color-primary); }
.steps [aria-current] { font-weight: 600; color: var(--body-text-color); }
.steps [aria-current] b { color: white; background: #0f766e; border-color: #0f766e; }
#board { position: relative; }
button[role=tab][aria-selected=true] { color: #0f766e !important; }
.dark button[role=tab][aria-selected=true] { color: #5eead4 !important; }
#panel { gap: 14px; }
#panel .label-wrap { text-align: left; }
#mark h2 { font-size: 1.05rem; font-weight: 600; margin: 0 0 2px; }
#board:not(:has(.at-1)) #load, #board:not(:has(.at-2)) #mark, #board:not(:has(.at-2)) #shapes,
#board:not(:has(.at-2)) #faces-box, #board:not(:has(.at-3)) #result, #board:not(:has(.at-3)) #known,
#board:not(:has(.at-3)) #details, #board:not(:has(.at-3)) #landmarks-box,
#board:has(.at-1) #panel > :not(#act), #board:has(.at-1) #buttons {
  display: none !important; }
#board:has(.at-1) { grid-template-columns: minmax(0, 760px); justify-content: center; }
#board:has(.at-3) #editor { position: absolute !important; visibility: hidden; inset: 0 0 auto; z-index: -1; }
#board:has(.at-3) #act { order: 3; }
#board:has(.at-3) #settings { order: 2; }
#board:has(.at-3) #others { order: 4; }
#board:has(.at-3) #details { order: 5; }
#editor, #compare { height: clamp(360px, calc(100dvh - 232px), 860px) !important; max-height: none !important; }

#compare img { width: 100% !important; height: 100% !important; max-height: none !important; object-fit: contain; }

/* The keyboard: it is seen what has the focus, and where on a picture one is. */
:root { --ring: #0f766e; }
.dark { --ring: #5eead4; }
:focus-visible:not([type=radio]), label:has(> [type=radio]:focus-visible) {
  outline: 3px solid var(--ring) !important; outline-offset: 2px; }
.upload-container, .image-container, #rectangle-area, fieldset label { outline-offset: -3px !important; }
.image-container { position: relative; }
#cross { display: none; width: 21px; height: 21px; margin: -10px; filter: drop-shadow(0 0 1px white);
  background: linear-gradient(#0f766e 0 0) center / 3px 100% no-repeat,
    linear-gradient(#0f766e 0 0) center / 100% 3px no-repeat; }
:focus-visible > #cross { display: block; }
#panel { reading-flow: flex-visual; }

/* 1: the photo */
#photo { height: 260px !important; }
#load { gap: 12px; }
#refused:not(:has(.message)), .kept ~ #refused { display: none !important; }
#examples { display: grid; grid-template-columns: repeat(5, minmax(0, 1fr)); gap: 8px; }
#examples button { font-weight: 400; min-height: 64px; padding: 64px 6px 8px; justify-content: center;
  text-align: center; background-repeat: no-repeat; background-position: center 8px; background-size: auto 52px; }

/* 2: what should go */
#fill, #cancel, #another, #mark button, #shapes button, #onwards button { white-space: nowrap; }
#mark, #act, #known { gap: 10px; }
#find { flex-wrap: wrap; gap: 8px; }
#find button { flex: 1 1 auto; min-width: 0; padding-inline: 8px; font-weight: 500; font-size: .94rem; }
#mask-row { align-items: center; gap: 10px; }
#mask-row button { flex: none; }
#rectangle:not([aria-pressed]), #mark:not(:has(#rectangle[aria-pressed=true])) #rectangle-hint { display: none; }
#rectangle[aria-pressed=true] { color: white; background: #0f766e; }
#rectangle-hint span { color: inherit; }
#rectangle-area { position: absolute; inset: 0; cursor: crosshair; touch-action: none; }
#rectangle-area > *, #cross { position: absolute; pointer-events: none; }
#rectangle-area div { border: 2px solid #0f766e; outline: 1px solid white; background: rgb(229 72 77 / 45%);
  box-sizing: content-box; margin: -2px; }
#editor:has(#rectangle-area:not([hidden])) .toolbar-wrap .highlight { color: var(--block-label-text-color) !important; }
#editor [aria-label=Color] { display: none !important; }
#share { flex: 1 1 auto; width: auto; min-width: 0; }
#share span { font-size: .88rem; color: var(--body-text-color-subdued); font-variant-numeric: tabular-nums; }
#buttons { flex-wrap: wrap; gap: 8px; }
#buttons button { min-width: 0 !important; padding-inline: 10px; }
#cancel:disabled { display: none; }
#fill { flex: 2 1 auto; }
#cancel, #another { flex: 1 1 auto; font-weight: 500; }
#message:not(:has(.message)), #click-hint:not(:has(.message)), #found:not(:has(.message)),
  #running:not(:has(.panel, .message)),
  #state:not(:has(span)) { display: none !important; }
#preset input { text-overflow: ellipsis; padding-right: 28px; }
#shape-buttons { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 8px; }
#shape-buttons button { flex-direction: column; gap: 4px; padding: 6px 2px; font-size: .78rem; font-weight: 400; }
#shape-buttons button::before { content: ""; width: 100%; max-width: 72px; aspect-ratio: 1; border-radius: 6px; }
#unchecked, #stamps { padding: 0; border: 0; background: none; }
#faces { border: 0; }
#faces img { max-height: 300px; object-fit: contain; }
#others-message:not(:has(.message)) { display: none !important; }
.other { flex-wrap: nowrap !important; align-items: flex-start; gap: 12px; }
.other > * { min-width: 0 !important; flex: none !important; width: auto !important; }
.other > :has([type=radio]) { flex: 1 1 0 !important; }
.other .form, .other fieldset { padding: 0 !important; border: 0 !important; background: none !important; }
.other fieldset > span { margin-bottom: 4px; overflow-wrap: anywhere; }
.other .wrap { gap: 6px; }
.other .wrap label { padding: 5px 8px; font-size: .84rem; }
.other img { width: 48px; height: 48px; margin: 0; object-fit: cover; object-position: 50% 20%;
  border-radius: 6px; }
#add-others .wrap { flex-direction: row; flex-wrap: wrap; gap: 0 .4em; padding: 0; min-height: 0; font-size: .9rem; }
#add-others .icon-wrap { display: none; }
.running { display: grid; grid-template-columns: 1fr auto; gap: 4px 14px; align-items: start; }
.running .bar { grid-column: 1 / -1; height: 6px; border-radius: 3px; overflow: hidden;
  background: var(--border-color-primary); }
.running .bar i { display: block; height: 100%; background: var(--color-accent); }
.running img { width: 128px; height: 128px; border-radius: 6px; image-rendering: auto; }
.running svg { width: 100%; max-width: 340px; height: 80px; }
.running svg polyline { stroke: var(--color-accent); }
.running svg line { stroke: var(--border-color-primary); }
.message { padding: 9px 13px; border-radius: 8px; font-size: .9rem; white-space: pre-line;
  border: 1px solid var(--border-color-primary); border-left: 3px solid var(--color-accent);
  background: var(--block-background-fill); }
.message.error { border-left-color: #ca244d; }

/* 3: the result */
#outcome .known { display: flex; gap: 10px; align-items: flex-start; }
#outcome p { margin: 0; font-size: .96rem; }
#outcome .known::before { content: "✓"; flex: none; width: 24px; height: 24px; border-radius: 50%; display: grid;
  place-items: center; font-size: .8rem; color: white; background: #18794e; }
#outcome .known.broken::before { content: "!"; background: #ca244d; }
#onwards { flex-wrap: nowrap; gap: 8px; }
#onwards button { min-width: 0 !important; }
#gallery .grid-wrap { min-height: 0 !important; padding-top: 34px; }
#gallery .caption-label { left: 0; right: 0; max-width: none; border-radius: 0; padding: 2px 6px; font-size: .78rem;
  white-space: normal; text-align: center; }
#part .block, #part .form { padding: 0 !important; border: 0 !important; background: none; box-shadow: none; }
#part .form { display: grid; gap: 12px; }
#parts img { max-height: 300px; object-fit: contain; }
#part-number .wrap, #part-source .wrap { gap: 6px; }
#part-number label, #part-source label { padding: 5px 10px; font-size: .88rem; }
#part-message:not(:has(.message, .panel)) { display: none !important; }
#identity:not(:has(.panel)) { display: none !important; }
.likeness { position: relative; height: 8px; margin: 6px 0 4px; border-radius: 4px;
  background: linear-gradient(90deg, #ca244d, #b8860b 50%, #18794e); }
.likeness i { position: absolute; top: -4px; width: 4px; height: 16px; margin-left: -2px; border-radius: 2px;
  background: var(--body-text-color); box-shadow: 0 0 0 2px var(--block-background-fill); }
.ends { display: flex; justify-content: space-between; font-size: .82rem; }
#legend:not(:has(li)) { display: none !important; }
#legend ul { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0; padding: 0; list-style: none; font-size: .88rem;
  font-variant-numeric: tabular-nums; }
#legend i { display: inline-block; width: 12px; height: 12px; margin-right: 6px; border-radius: 3px; }
#view .wrap { gap: 6px; }
#view label { padding: 5px 10px; font-size: .88rem; }
#engines-box button { text-align: left; }
#facts, #running, #identity, #message, #click-hint, #found, #outcome { min-height: 0 !important; }
#facts dl { display: flex; flex-wrap: wrap; gap: 6px 28px; margin: 0; }
#facts dt { font-size: .75rem; color: var(--body-text-color-subdued); }
#facts dd { margin: 0; font-size: .92rem; font-variant-numeric: tabular-nums; }
#facts ul { margin: 12px 0; padding: 10px 14px; list-style: none; font-size: .88rem; border-radius: 8px;
  background: var(--block-background-fill); border: 1px solid var(--border-color-primary); }
#facts li + li { margin-top: 4px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 14px; }
.cards figure { margin: 0; padding: 8px; border-radius: 8px; background: var(--block-background-fill);
  border: 1px solid var(--border-color-primary); }
.cards img { display: block; width: 100%; margin: 0; border-radius: 6px; }
.cards figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; margin: 8px 2px 0;
  font-size: .88rem; }
.cards + .hint { margin-top: 12px; }
.cards small { flex-basis: 100%; color: var(--body-text-color-subdued); }
.cards .failed { display: flex; flex-direction: column; justify-content: space-between; }
.cards .failed p { margin: 0; font-size: .84rem; color: var(--body-text-color-subdued); overflow-wrap: anywhere; }
.panel { padding: 12px 14px; border-radius: 8px; font-size: .9rem; background: var(--block-background-fill);
  border: 1px solid var(--border-color-primary); }
.panel h2 { font-size: .95rem; font-weight: 600; margin: 0 0 6px; }
.panel p { margin: 6px 0 0; font-size: .84rem; color: var(--body-text-color-subdued); }
.panel summary { cursor: pointer; margin-top: 6px; font-size: .84rem; color: var(--body-text-color-subdued); }
.panel td small { display: block; font-size: .78rem; color: var(--body-text-color-subdued); }
.panel table { width: 100%; margin: 0; border: 0 !important; border-collapse: collapse;
  font-variant-numeric: tabular-nums; }
.panel tr { border: 0 !important; }
.panel th, .panel td { text-align: right; padding: 5px 8px; font-weight: 400; vertical-align: top; white-space: nowrap;
  border: 0 !important; border-bottom: 1px solid var(--border-color-primary) !important; }
.panel th:first-child, .panel td:first-child { padding-left: 0; }
.panel th:last-child, .panel td:last-child { padding-right: 0; }
.panel tbody tr:last-child td { border-bottom: 0 !important; }
.panel th { font-size: .78rem; white-space: normal; color: var(--body-text-color-subdued); }
.panel th:first-child, .panel td:first-child { text-align: left; }
.panel td.why { text-align: left; white-space: normal; color: var(--body-text-color-subdued); }
.panel td.why p { margin: 2px 0 0; font-size: .78rem; overflow-wrap: anywhere; }
#facts td:first-child { white-space: normal; overflow-wrap: anywhere; }

@media (min-width: 761px) {
  #board:not(:has(.at-1)) #stage { position: sticky; top: 8px; }
}
@media (max-width: 1100px) {
  #board { grid-template-columns: minmax(0, 1fr) 330px; gap: 10px 16px; }
}
@media (max-width: 760px) {
  .main.app { padding: 10px 12px 14px !important; }
  #board, #board:has(.at-1) { grid-template-columns: minmax(0, 1fr); }
  #head h1 { font-size: 1.2rem; }
  #head p { font-size: .88rem; }
  .gradio-container:has(.at-2, .at-3) #head p, .gradio-container:has(.at-2, .at-3) #state { display: none; }
  .steps { justify-content: space-between; gap: 8px; font-size: .82rem; }
  .steps b { width: 20px; height: 20px; }
  #editor, #compare { height: clamp(300px, calc(100dvh - 480px), 420px) !important; }
  #editor [data-testid=block-label] { display: none; }
  #board:has(.at-3) #stage, #board:has(.at-3) #result { display: contents; }
  #photo { height: 180px !important; }
  #examples { grid-template-columns: 1fr 1fr; }
  .panel th, .panel td { padding: 5px 4px; font-size: .82rem; }
  .panel td:first-child, .panel td small { white-space: normal; }
  .panel td small { font-size: .74rem; }
  #engines-box tr { display: grid; grid-template-columns: 1fr auto; padding: 4px 0; }
  #engines-box td { padding: 1px 0; border-bottom: 0 !important; }
  #engines-box td:first-child { font-weight: 600; }
  #engines-box td.why { order: 1; grid-column: 1 / -1; }
}

/* Fingers: what they press is large enough, and two of them pan. */
@media (pointer: coarse) {
  #board button:not(.label-wrap) { min-height: 44px; }
  #rectangle-hint span { display: none; }
  :is(#photo, #add-others) [data-testid=upload-text], :is(#photo, #add-others) .or { visibility: hidden; font-size: 0; }
  :is(#photo, #add-others) [data-testid=upload-icon] { visibility: visible; font-size: 1rem; }
  :is(#photo, #add-others) [data-testid=upload-text]::after { content: var(--choose); visibility: visible;
    font-size: 1.05rem; }
  #editor { user-select: none; -webkit-user-select: none; }
  #editor [aria-label=Pan] { display: none !important; }
  #editor .pixi-target { inset: 45px 0 0; height: auto; }
  #editor .icon-button-wrapper { padding: 0 2px; }
  #editor .icon-button-wrapper > button, #editor .toolbar-wrap button, #editor .zoom-number span {
    min-width: 44px; height: 44px; margin: 0; display: flex; align-items: center; justify-content: center; }
  #editor .icon-button-wrapper > button::after, #editor .separator { display: none; }
  #editor .icon-button-wrapper > button > div { width: 20px; height: 20px; }
  #editor .zoom-number { width: auto; padding: 0; }
  #editor .toolbar-wrap { width: 46px; }
  #editor .toolbar-wrap input { height: 44px; }
}
/* On a phone the photo lies between its buttons, and those of the brush have their names beside them. */
@media (pointer: coarse) and (max-width: 760px) {
  #editor { height: clamp(420px, calc(100svh - 400px), 500px) !important; }
  #editor .pixi-target { bottom: 46px; }
  #editor .icon-button-wrapper { inset: 0 0 auto; justify-content: space-between; border-width: 0 0 1px;
    border-radius: 0; box-shadow: none; background: none; }
  #editor .toolbar-wrap { inset: auto 0 0; width: auto; flex-direction: row; justify-content: flex-start; gap: 0;
    border-width: 1px 0 0; border-radius: 0; background: none; }
  #editor .half-container { flex: none; width: auto; flex-direction: row; gap: 0; padding: 0; border: 0; }
  #editor .toolbar-wrap button { padding: 0 10px; gap: 6px; font-size: .82rem; }
  #editor .toolbar-wrap button::after { content: attr(aria-label); }
  #editor .half-container > .wrap { inset: auto auto calc(100% + 4px) -60px; transform: none; }
}
"""


def example_id(name: str) -> str:
    """The element of the button that loads the example ``name``."""
    return f"example-{name.lower().replace(' ', '-')}"


def css() -> str:
    """The page's style. The examples' small pictures are in it, so that there are no files of them."""

    def thumb(name: str) -> str:
        return pictures.data_uri(pictures.shrunk(examples.make(name), THUMB), ".jpg")

    sheet = pictures.data_uri(pictures.read(shapes.SHEET).pixels, ".jpg")
    last = len(shapes.LABELS) - 1
    places = "".join(
        f"#shape-buttons #shape-{name}::before {{ background-position: {100 * number / last:.4f}% 0; }}\n"
        for number, name in enumerate(shapes.LABELS)
    )
    masks = (
        f"#shape-buttons button::before {{ background: url({sheet}) 0 0 / {len(shapes.LABELS)}00% 100%; }}\n{places}"
    )
    thumbs = (f"#{example_id(name)} {{ background-image: url({thumb(name)}); }}\n" for name in examples.NAMES)
    touch = f'#photo {{ --choose: "{words.CHOOSE_PHOTO}"; }} #add-others {{ --choose: "{words.CHOOSE_OTHERS}"; }}\n'
    return "".join([_CSS, masks, *thumbs, touch])


def script() -> str:
    """What the page runs in the browser once it is there: each of ``scripts/``, one after the other."""
    files = sorted((Path(__file__).parent / "scripts").glob("*.js"))
    return "() => {\n" + "".join(f"({file.read_text().strip()})();\n" for file in files) + "}"


def theme() -> gr.themes.Base:
    """Nothing of it is fetched from elsewhere."""
    return gr.themes.Default(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="zinc",
        radius_size="lg",
        font=("system-ui", "sans-serif"),
        font_mono=("ui-monospace", "monospace"),
    ).set(
        body_background_fill="*neutral_50",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        checkbox_border_color="*neutral_400",
        checkbox_border_color_dark="*neutral_500",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
    )
