() => {
  // Gradio's editor leaves a margin around the photo, for the tools that lie over it. On a phone they stand above and
  // below it instead, and the photo needs the room.
  const MARGIN = 8, PHONE = matchMedia('(pointer: coarse) and (max-width: 760px)'); // as in the style
  const widen = () => {
    const zoom = window.editor?.tools?.get?.('zoom');
    if (PHONE.matches && zoom?.border_padding > MARGIN) zoom.border_padding = MARGIN;
  };
  new MutationObserver(widen).observe(document.body, {childList: true, subtree: true});
}
