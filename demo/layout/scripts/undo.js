() => {
  // Gradio's editor can undo the photo itself: allow to undo strokes only.
  document.addEventListener('click', (event) => {
    if (!event.target.closest('#editor [aria-label=Undo]')) return;
    if (window.editor?.command_manager?.history.command?.name === 'AddImage') event.stopPropagation();
  }, true);
}
