() => {
  // Gradio's editor counts the photo itself among what is undone: what was painted may go, the photo stays.
  document.addEventListener('click', (event) => {
    if (!event.target.closest('#editor [aria-label=Undo]')) return;
    if (window.editor?.command_manager?.history.command?.name === 'AddImage') event.stopPropagation();
  }, true);
}
