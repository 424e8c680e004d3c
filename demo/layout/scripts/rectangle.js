() => {
  // A rectangle tool for the editor: a drag, or two clicks, by keyboard with the cross of scripts/cross.js. It paints one
  // stroke of the brush, so that eraser, Undo and Redo treat it as one.
  const CLICK = 4; // pixels that a click may move
  const ENDS = '#editor :is(.toolbar-wrap, [aria-label=Pan]), #fill'; // another tool, or the result
  const LEAST = 2; // pixels of the smallest brush, by which the corners are rounded
  const GROWS = 6; // ratio of a frame's brush to that of the frame around it, which covers its round corners up to 6.8

  const button = () => document.getElementById('rectangle');
  const image = () => window.editor.image_container;
  let area = null, frame = null;
  let here = {x: 0, y: 0}; // position of the pointer in the area
  let pressed = null; // where it was pressed
  let corner = null; // the first one, in the picture's pixels, whatever the zoom

  const far = (one, other) => Math.hypot(one.x - other.x, one.y - other.y) > CLICK;

  // Frames with ever smaller brushes from the middle to the edge: few strokes, and sharp corners.
  const paint = (one, other) => {
    const brush = window.editor.tools.get('brush'), textures = brush.brush_textures;
    const [left, right] = [one.x, other.x].sort((a, b) => a - b);
    const [top, bottom] = [one.y, other.y].sort((a, b) => a - b);
    const half = Math.min(right - left, bottom - top) / 2;
    const insets = [half];
    for (let inset = LEAST; inset < half; inset *= GROWS) insets.splice(1, 0, inset);
    textures.preserve_canvas_state();
    for (const inset of insets) {
      const [l, t, r, b] = [left + inset, top + inset, right - inset, bottom - inset];
      for (const line of [[l, t, r, t], [r, t, r, b], [r, b, l, b], [l, b, l, t]]) {
        textures.draw_segment(...line, Math.max(inset, LEAST), brush.state.color, 1, 'draw');
      }
    }
    textures.commit_stroke();
    brush.notify('change');
  };

  const show = () => {
    const from = corner ? image().toGlobal(corner) : here;
    const [left, top] = [Math.min(from.x, here.x), Math.min(from.y, here.y)];
    const [width, height] = [Math.abs(from.x - here.x), Math.abs(from.y - here.y)];
    for (const [name, value] of Object.entries({left, top, width, height})) frame.style[name] = `${value}px`;
    frame.hidden = !corner;
  };

  const set = () => {
    if (!corner) {
      corner = image().toLocal(here);
    } else if (far(image().toGlobal(corner), here)) {
      paint(corner, image().toLocal(here));
      corner = null;
    }
    show();
  };

  const forget = () => {
    corner = pressed = null;
    show();
  };

  const use = (on) => {
    area.hidden = !on;
    button().setAttribute('aria-pressed', on);
    forget();
    if (on) area.focus();
  };

  const acts = {
    pointerdown: (event) => {
      if (event.button) return;
      if (event.isTrusted) area.setPointerCapture(event.pointerId);
      area.focus();
      pressed = here;
    },
    pointermove: () => {
      if (pressed && far(pressed, here)) corner = image().toLocal(pressed);
      show();
    },
    pointerup: () => {
      if (pressed) set();
      pressed = null;
    },
    pointercancel: forget,
    blur: forget,
    keydown: (event) => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      if (corner) return forget();
      use(false);
      button().focus();
    },
    wheel: (event) => {
      area.previousElementSibling.dispatchEvent(new WheelEvent('wheel', event));
      event.preventDefault();
    },
  };

  const lay = (target) => {
    area = document.createElement('div');
    area.append(frame = document.createElement('div'));
    const what = {id: 'rectangle-area', role: 'application', 'aria-labelledby': 'rectangle-hint', tabindex: 0};
    for (const [name, value] of Object.entries(what)) area.setAttribute(name, value);
    area.hidden = true;
    target.append(area);
  };

  // Show the button only if the editor has the parts that paint, which are not public in Gradio.
  const offer = () => {
    const target = document.querySelector('#editor .pixi-target:has(canvas):not(:has(#rectangle-area))');
    if (target && window.editor?.tools?.get?.('brush')?.brush_textures?.draw_segment) lay(target);
    if (area?.isConnected) button()?.setAttribute('aria-pressed', !area.hidden);
  };

  for (const [type, act] of Object.entries(acts)) {
    window.addEventListener(type, (event) => {
      if (event.target !== area || event.pointerType === 'touch') return; // scripts/fingers.js turns touch into mouse events
      if (type.startsWith('pointer')) {
        const box = area.getBoundingClientRect();
        here = {x: event.clientX - box.left, y: event.clientY - box.top};
        event.stopImmediatePropagation(); // else the editor's brush would paint
      }
      act(event);
    }, {capture: true, passive: false});
  }
  new MutationObserver(offer).observe(document.body, {childList: true, subtree: true});

  document.addEventListener('click', (event) => {
    if (event.target.closest('#rectangle')) use(area.hidden);
    else if (area?.hidden === false && event.target.closest(ENDS)) use(false);
  }, true);
}
