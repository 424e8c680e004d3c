"""How the page looks: quiet greys, one accent, and fonts the reader's machine has."""

import gradio as gr

from demo import examples, pictures

SIDE = 440  # pixels, of the editor and the result
THUMB = 104  # pixels, of an example's small picture

_CSS = """
.gradio-container { max-width: 1240px !important; width: 100% !important; margin: 0 auto !important; }
.main.app { width: 100%; padding: 28px 24px 20px !important; }
footer { display: none !important; }
#head h1 { font-size: 1.7rem; font-weight: 650; letter-spacing: -0.02em; margin: 0 0 4px; }
#head p { font-size: 1rem; color: var(--body-text-color-subdued); margin: 0; }
#limits p, #state span { font-size: .82rem; color: var(--body-text-color-subdued); margin: 0; }
.html-container { padding: 0 !important; }
#message:not(:has(.message)), #found:not(:has(.message)), #running:not(:has(.panel, .message)),
  #state:not(:has(span)) { display: none !important; }
#photo { height: 300px !important; }
#fill, #cancel, #another, #masks button { white-space: nowrap; }
#examples, #mask-row { align-items: center; gap: 8px; }
#load, #masks { gap: 10px; }
#examples button { font-weight: 400; min-height: 64px; padding-left: 64px; justify-content: flex-start;
  text-align: left; background-repeat: no-repeat; background-position: 6px center; background-size: 52px auto; }
#find { flex-wrap: nowrap; gap: 8px; }
#find button { flex: 1 1 auto; min-width: 0; padding-inline: 6px; font-weight: 500; }
#preset input { text-overflow: ellipsis; padding-right: 28px; }
#aligned, #unchecked, #stamps { padding: 0; border: 0; background: none; }
#others { gap: 8px; }
#others h3 { font-size: .95rem; font-weight: 600; margin: 0; }
#others p { margin: 2px 0 0; font-size: .84rem; color: var(--body-text-color-subdued); }
#others-message:not(:has(.message)) { display: none !important; }
.other { flex-wrap: nowrap !important; align-items: flex-start; gap: 12px; }
.other > * { min-width: 0 !important; flex: none !important; width: auto !important; }
.other > :has([type=radio]) { flex: 1 1 0 !important; }
.other .form, .other fieldset { padding: 0 !important; border: 0 !important; background: none !important; }
.other fieldset > span { margin-bottom: 4px; overflow-wrap: anywhere; }
.other .wrap { gap: 6px; }
.other .wrap label { padding: 5px 8px; font-size: .88rem; }
.other img { width: 64px; height: 64px; margin: 0; object-fit: cover; border-radius: 6px; }
#add-others .wrap { flex-direction: row; flex-wrap: wrap; gap: 0 .4em; padding: 0; min-height: 0; font-size: .9rem; }
#add-others .icon-wrap { display: none; }
#identity td:first-child { white-space: normal; overflow-wrap: anywhere; }
#legend:not(:has(li)) { display: none !important; }
#legend ul { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0; padding: 0; list-style: none; font-size: .88rem;
  font-variant-numeric: tabular-nums; }
#legend i { display: inline-block; width: 12px; height: 12px; margin-right: 6px; border-radius: 3px; }
#known:not(:has(.known)) { display: none; }
#engines-box button { text-align: left; }
#share { font-size: .88rem; color: var(--body-text-color-subdued); font-variant-numeric: tabular-nums; }
#compare .empty::after { content: "The filled photo appears here"; margin-left: 10px;
  color: var(--body-text-color-subdued); }
#facts, #running, #identity, #message, #found { min-height: 0 !important; }
#facts .known { display: flex; gap: 10px; align-items: center; font-size: 1.05rem; font-weight: 600; }
#facts .known::before { content: "✓"; flex: none; width: 24px; height: 24px; border-radius: 50%; display: grid;
  place-items: center; font-size: .8rem; color: white; background: #18794e; }
#facts .known.broken::before { content: "!"; background: #ca244d; }
#facts dl { display: flex; flex-wrap: wrap; gap: 6px 28px; margin: 12px 0 0; }
#facts dt { font-size: .75rem; color: var(--body-text-color-subdued); }
#facts dd { margin: 0; font-size: .92rem; font-variant-numeric: tabular-nums; }
#facts ul { margin: 12px 0 0; padding: 10px 14px; list-style: none; font-size: .88rem; border-radius: 8px;
  background: var(--block-background-fill); border: 1px solid var(--border-color-primary); }
#facts li + li { margin-top: 4px; }
.panel { padding: 12px 14px; border-radius: 8px; font-size: .9rem; background: var(--block-background-fill);
  border: 1px solid var(--border-color-primary); }
.panel h3 { font-size: .95rem; font-weight: 600; margin: 0 0 6px; }
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
.running { display: grid; grid-template-columns: 1fr auto; gap: 4px 14px; align-items: start; }
.running .bar { grid-column: 1 / -1; height: 6px; border-radius: 3px; overflow: hidden;
  background: var(--border-color-primary); }
.running .bar i { display: block; height: 100%; background: var(--color-accent); }
.running img { width: 128px; height: 128px; border-radius: 6px; image-rendering: auto; }
.running svg { width: 100%; max-width: 340px; height: 80px; }
.running svg polyline { stroke: var(--color-accent); }
.running svg line { stroke: var(--border-color-primary); }
.message { padding: 10px 14px; border-radius: 8px; font-size: .92rem; white-space: pre-line;
  border: 1px solid var(--border-color-primary); border-left: 3px solid var(--color-accent);
  background: var(--block-background-fill); }
.message.error { border-left-color: #ca244d; }
@media (max-width: 760px) {
  .main.app { padding: 18px 12px 14px !important; }
  #head h1 { font-size: 1.4rem; }
  #editor, #compare { height: 400px !important; }
  #photo { height: 200px !important; }
  .other img { width: 48px; height: 48px; }
  #board { flex-direction: column; flex-wrap: nowrap; }
  .side { display: contents !important; }
  #settings { order: 1; }
  #examples { display: grid; grid-template-columns: 1fr 1fr; }
  #result:has(#compare .empty) { display: none; }
  .panel th, .panel td { padding: 5px 4px; font-size: .82rem; }
  .panel td:first-child, .panel td small { white-space: normal; }
  .panel td small { font-size: .74rem; }
  #engines-box tr { display: grid; grid-template-columns: 1fr auto; padding: 4px 0; }
  #engines-box td { padding: 1px 0; border-bottom: 0 !important; }
  #engines-box td:first-child { font-weight: 600; }
  #engines-box td.why { order: 1; grid-column: 1 / -1; }
}
"""


def example_id(name: str) -> str:
    """The element of the button that loads the example ``name``."""
    return f"example-{name.lower().replace(' ', '-')}"


def css() -> str:
    """The page's style. The examples' small pictures are in it, so that there are no files of them."""

    def thumb(name: str) -> str:
        return pictures.data_uri(pictures.shrunk(examples.make(name), THUMB), ".jpg")

    thumbs = (f"#{example_id(name)} {{ background-image: url({thumb(name)}); }}\n" for name in examples.NAMES)
    return "".join([_CSS, *thumbs])


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
