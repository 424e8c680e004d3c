() => {
  // Keyboard and screen reader support that Gradio lacks: arrow keys move the line between two pictures and select radio
  // buttons, pictures and groups get labels, and wrong labels of buttons are removed.
  const STEP = 0.05; // of the picture's width
  const WAYS = {ArrowLeft: -STEP, ArrowRight: STEP, Home: -1, End: 1};
  const WHAT = {
    tabindex: 0, role: 'slider', 'aria-label': 'How much is shown of the original',
    'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': 50,
  };
  const PICTURE = {
    tabindex: 0, role: 'application', 'aria-label': 'Click in this picture: arrow keys move a cross, Enter clicks.',
  };
  let choices = 0;
  const middle = (box) => box.left + box.width / 2;

  const drag = (slider, x) => {
    const from = slider.getBoundingClientRect();
    const event = (name, clientX) =>
      new MouseEvent(name, {bubbles: true, cancelable: true, view: window, clientX, clientY: from.top + 1});
    (slider.querySelector('.icon-wrap') || slider).dispatchEvent(event('mousedown', middle(from)));
    window.dispatchEvent(event('mousemove', x));
    window.dispatchEvent(event('mouseup', x));
  };

  const move = (event) => {
    const slider = event.currentTarget, way = WAYS[event.key];
    if (!way) return;
    event.preventDefault();
    const whole = slider.parentElement.getBoundingClientRect();
    const now = (middle(slider.getBoundingClientRect()) - whole.left) / whole.width;
    const share = Math.min(1, Math.max(0, now + way));
    drag(slider, whole.left + share * whole.width);
    slider.setAttribute('aria-valuenow', Math.round(100 * share));
  };

  const improve = () => {
    for (const button of document.querySelectorAll('button.upload-container[aria-label]')) {
      button.removeAttribute('aria-label');
    }
    for (const button of document.querySelectorAll('.image-container > button:has(.selectable):not([tabindex])')) {
      button.tabIndex = -1; // scripts/cross.js clicks it
      button.setAttribute('aria-label', 'The picture');
      for (const [name, value] of Object.entries(PICTURE)) button.parentElement.setAttribute(name, value);
    }
    // Gradio gives each radio button a different name, and a new one whenever it is chosen.
    for (const title of document.querySelectorAll('fieldset:has([type=radio]) > [data-testid=block-info]')) {
      title.id ||= `choice-${++choices}`;
      const group = title.parentElement;
      group.setAttribute('role', 'radiogroup');
      group.setAttribute('aria-labelledby', title.id);
      for (const radio of group.querySelectorAll('[type=radio]')) {
        if (radio.name !== title.id) radio.name = title.id;
      }
    }
    for (const slider of document.querySelectorAll('#compare [data-testid=slider]:not([tabindex])')) {
      for (const [name, value] of Object.entries(WHAT)) slider.setAttribute(name, value);
      slider.addEventListener('keydown', move);
    }
  };
  new MutationObserver(improve).observe(document.body, {childList: true, subtree: true, attributeFilter: ['name']});
}
