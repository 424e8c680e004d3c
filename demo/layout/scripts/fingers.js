() => {
  // Touch on the photo. Gradio's editor paints with every finger, also during a pinch. Here one finger acts as the mouse,
  // which paints, and two fingers zoom and pan.
  const STILL = 8; // pixels that a finger moves before it paints, to wait for the second finger of a pinch
  const MEANT = 48; // pixels of a stroke that a second finger, such as a thumb at the edge, does not undo
  const MOST = 10; // maximal zoom, as in the editor
  const fingers = new Map(); // the last event of each
  let doing = null; // 'waits', 'paints', 'pinches'
  let start = null, began = null, frame = null;

  const between = (one, other) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);

  const mouse = (type, {clientX, clientY}, buttons = 0) =>
    start.target.dispatchEvent(new PointerEvent(type, {
      pointerType: 'mouse', pointerId: 1, isPrimary: true, bubbles: true, cancelable: true, clientX, clientY, buttons,
    }));

  // Move the ring of the brush, which stays at the last position of the mouse, out of sight.
  const leave = () => {
    if (start.target.matches('canvas')) mouse('pointermove', {clientX: -1, clientY: -1});
  };

  const two = () => {
    const [one, other] = fingers.values(), box = start.target.getBoundingClientRect();
    return {
      x: (one.clientX + other.clientX) / 2 - box.left,
      y: (one.clientY + other.clientY) / 2 - box.top,
      apart: between(one, other) || 1,
    };
  };

  // Keep the same pixels under the fingers; zoom out to the whole photo at most, and pan its edge to the middle at most.
  const pinch = () => {
    frame = null;
    const {editor} = window, zoom = editor?.tools?.get?.('zoom');
    if (doing !== 'pinches' || !zoom?.calculate_min_zoom) return;
    const now = two(), {width, height} = editor.app.screen;
    began ||= {...now, scale: editor.scale_value, left: editor.position_value.x, top: editor.position_value.y};
    const scale = Math.min(MOST, began.scale * now.apart / began.apart), grown = scale / began.scale;
    if (scale <= zoom.calculate_min_zoom(editor.width, editor.height)) return zoom.set_zoom('fit');
    const within = (value, side, whole) => Math.max(whole / 2 - side * scale, Math.min(whole / 2, value));
    const x = within(now.x - (began.x - began.left) * grown, editor.width, width);
    const y = within(now.y - (began.y - began.top) * grown, editor.height, height);
    editor.set_image_properties({scale, position: {x, y}});
  };

  // A stroke is a preview until the finger is lifted: discard it, so that nothing is left to undo.
  const takeBack = () => {
    const brush = window.editor?.tools?.get?.('brush');
    mouse('pointercancel', start);
    if (!brush?.is_drawing) return;
    brush.is_drawing = false;
    brush.brush_textures.initialize_textures();
  };

  const touched = {
    pointerdown: (event) => {
      fingers.set(event.pointerId, event);
      if (fingers.size === 1) {
        [doing, start] = ['waits', event];
        mouse('pointermove', event); // the editor paints only after a move of the mouse
        event.target.dispatchEvent(new MouseEvent('mousedown', {bubbles: true})); // closes the slider of brush sizes
      } else if (doing === 'waits' || (doing === 'paints' && between(start, fingers.get(start.pointerId)) < MEANT)) {
        if (doing === 'paints') takeBack();
        [doing, began] = ['pinches', null];
        leave();
        pinch();
      }
    },
    pointermove: (event) => {
      fingers.set(event.pointerId, event);
      if (doing === 'pinches') frame ||= requestAnimationFrame(pinch);
      if (event.pointerId !== start.pointerId) return;
      if (doing === 'waits' && between(start, event) > STILL) {
        doing = 'paints';
        mouse('pointerdown', start, 1);
      }
      if (doing === 'paints') mouse('pointermove', event, 1);
    },
    pointerup: (event) => {
      fingers.delete(event.pointerId);
      if (doing === 'pinches' || event.pointerId === start.pointerId) {
        if (doing === 'waits') mouse('pointerdown', start, 1);
        if (doing === 'waits' || doing === 'paints') mouse('pointerup', event);
        doing = null;
        leave();
      }
    },
    pointercancel: (event) => {
      if (doing === 'waits') doing = null;
      touched.pointerup(event);
    },
  };

  for (const [type, act] of Object.entries(touched)) {
    window.addEventListener(type, (event) => {
      if (!event.isTrusted || event.pointerType !== 'touch') return;
      const begins = type === 'pointerdown' && event.target.closest?.('#editor .pixi-target');
      if (!begins && !fingers.has(event.pointerId)) return;
      event.stopImmediatePropagation();
      act(event);
    }, true);
  }
}
