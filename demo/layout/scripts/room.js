() => {
  // Gradio's editor leaves a margin around the photo for its toolbars. On a phone they are above and below it, and the
  // photo uses the margin.
  const MARGIN = 8, PHONE = matchMedia('(pointer: coarse) and (max-width: 760px)'); // as in the style
  const widen = () => {
    const zoom = window.editor?.tools?.get?.('zoom');
    if (PHONE.matches && zoom?.border_padding > MARGIN) zoom.border_padding = MARGIN;
  };
  new MutationObserver(widen).observe(document.body, {childList: true, subtree: true});
}
