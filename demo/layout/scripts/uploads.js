() => {
  // The server checks the content of a file, so any name is accepted; file dialogs offer pictures. Gradio's own errors
  // about a file fade, so they are kept beside the file until the visitor does something else.
  const PLACES = '#photo, #add-others', PICTURES = 'image/*,.heic,.heif,.avif,.tif,.tiff';
  let place = null; // the control where a file was dropped last

  const begin = (event) => {
    const here = event.target.closest?.(PLACES);
    if (!here) return;
    place = here;
    document.querySelector('.kept')?.remove();
  };

  const goOn = (event) => {
    if (!document.querySelector('.kept') || !event.target.closest?.('#board button')) return;
    place = null;
    document.querySelector('.kept').remove();
  };

  const improve = () => {
    for (const input of document.querySelectorAll(PLACES.replace(/(,|$)/g, ' input[type=file]$1'))) {
      if (input.accept !== PICTURES) input.accept = PICTURES;
    }
    const said = document.querySelector('.toast-body.error [data-testid=toast-text]')?.innerText;
    if (!said || !place?.isConnected || document.querySelector('.kept')) return;
    const kept = document.createElement('div');
    kept.className = 'kept message error';
    kept.setAttribute('role', 'alert');
    kept.textContent = said;
    place.after(kept);
  };

  for (const name of ['change', 'drop']) document.addEventListener(name, begin, true);
  document.addEventListener('click', goOn, true);
  new MutationObserver(improve).observe(document.body, {childList: true, subtree: true});
}
