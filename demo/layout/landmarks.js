// The body of a gr.HTML's js_on_load: a face's landmarks over its picture, moved by dragging, arrow keys and sliders.
// parts: constants of all faces (landmark_controls.py). props.face: the face (events/move_landmarks.py). props.value: null,
// or all landmarks once one was moved. Both are in pixels of the photo. The SVG has units of its own: the picture is
// WIDTH units wide, about one screen pixel each.
const WIDTH = 360;
const REACH = 16; // distance at which a landmark is still touched
const DOT = 3.5;
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
const PAGES = {PageUp: -1, PageDown: 1};

const svg = element.querySelector('svg'), name = element.querySelector('.name'), image = svg.querySelector('image');
const [fixed, free] = svg.querySelectorAll('path'), handles = svg.querySelector('g');
const sliders = [...element.querySelectorAll('input')];
let face = {}, dragged = null, scale = 1; // scale: units for a pixel of the photo
let drags = []; // how far each landmark was dragged, in pixels of the photo

const within = (at, start, length) => Math.min(start + length, Math.max(start, at));

const byExpression = (point, axis) => sliders.reduce((sum, {name: control, value}) =>
  sum + Math.abs(value) * face.ends[control][value > 0 ? 1 : 0][point][axis], 0);

const placed = () => face.points.map((at, point) => (face.movable[point] ? at.map((found, axis) => within(
  found + byExpression(point, axis) + drags[point][axis], face.part[axis], face.part[axis + 2],
)) : at));

const draw = () => {
  const points = placed().map((at) => at.map((value, axis) => ((value - face.part[axis]) * scale).toFixed(2)));
  const outlines = {true: '', false: ''};
  for (const {points: line, closed} of parts.lines) {
    line.slice(closed ? 0 : 1).forEach((point, before) => {
      const from = closed ? line.at(before - 1) : line[before];
      outlines[face.movable[point] || face.movable[from]] += `M${points[from]}L${points[point]}`;
    });
  }
  free.setAttribute('d', outlines.true);
  fixed.setAttribute('d', outlines.false);
  for (const handle of handles.children) {
    handle.setAttribute('transform', `translate(${points[handle.dataset.point]})`);
  }
};

const said = (point) => {
  const [across, along] = placed()[point].map((at, axis) => Math.round((at - face.points[point][axis]) * scale));
  const [left, right, up, down] = parts.directions;
  const ways = [[across, left, right], [along, up, down]].filter(([by]) => by);
  return ways.map(([by, back, on]) => `${Math.abs(by)} ${by < 0 ? back : on}`).join(', ');
};

const show = (handle) => {
  for (const one of handles.children) one.classList.toggle('shown', one === handle);
  const way = said(handle.dataset.point);
  handle.setAttribute('aria-valuetext', way);
  name.textContent = [parts.names[handle.dataset.point], way].filter(Boolean).join(': ');
};

const moved = (handle, across, down) => { // by pixels of the photo
  for (const [other, share] of parts.along[handle.dataset.point]) {
    drags[other] = [drags[other][0] + share * across, drags[other][1] + share * down];
  }
  draw();
  show(handle);
};

const commit = () => {
  const any = sliders.some(({value}) => Number(value)) || drags.flat().some(Boolean);
  props.value = any ? {points: placed()} : null;
};

const makeHandle = (point, first) => {
  const handle = document.createElementNS(svg.namespaceURI, 'g');
  const attributes = {
    role: 'slider', tabindex: first ? 0 : -1, 'data-point': point, 'aria-label': parts.names[point],
    'aria-valuenow': 0,
  };
  for (const [attribute, value] of Object.entries(attributes)) handle.setAttribute(attribute, value);
  for (const radius of [REACH, DOT]) {
    const circle = document.createElementNS(svg.namespaceURI, 'circle');
    circle.setAttribute('r', radius);
    handle.append(circle);
  }
  return handle;
};

const restart = () => {
  drags = face.points.map(() => [0, 0]);
  name.textContent = '';
  for (const slider of sliders) {
    slider.value = 0;
    const idle = ([x, y], point) => !face.movable[point] || Math.hypot(x, y) * scale < 1;
    slider.closest('label').hidden = face.ends[slider.name].every((end) => end.every(idle));
  }
  handles.replaceChildren(...parts.features.flatMap((feature) => feature
    .filter((point) => face.movable[point])
    .map((point, at) => makeHandle(point, at === 0))));
};

const update = () => {
  const before = face;
  face = props.face ?? {};
  if (!face.points) return; // the box is hidden then
  scale = WIDTH / face.part[2];
  const height = face.part[3] * scale, [left, top, right, bottom] = face.window;
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${height}`);
  image.setAttribute('href', face.picture.url);
  const place = {
    x: (left - face.part[0]) * scale, y: (top - face.part[1]) * scale,
    width: (right - left) * scale, height: (bottom - top) * scale,
  };
  for (const [attribute, value] of Object.entries(place)) image.setAttribute(attribute, value);
  // After a fill with these landmarks the face is the same: the moves stay, and further ones start from them.
  const same = ['points', 'movable'].every((what) => JSON.stringify(before[what]) === JSON.stringify(face[what]));
  if (!same || !props.value) restart();
  if (!same && props.value) props.value = null;
  draw();
};

const nearest = (event) => {
  const distance = (handle) => {
    const box = handle.lastChild.getBoundingClientRect();
    return Math.hypot(box.x + box.width / 2 - event.clientX, box.y + box.height / 2 - event.clientY);
  };
  return [...handles.children].reduce((one, other) => (distance(other) < distance(one) ? other : one));
};

svg.addEventListener('pointerdown', (event) => {
  if (dragged || event.button || !event.target.closest('[data-point]')) return;
  event.preventDefault();
  dragged = {handle: nearest(event), finger: event.pointerId, x: event.clientX, y: event.clientY};
  svg.setPointerCapture(event.pointerId);
  dragged.handle.focus({preventScroll: true});
});
svg.addEventListener('pointermove', (event) => {
  if (!dragged) {
    if (event.target.closest('[data-point]')) show(nearest(event));
    return;
  }
  if (dragged.finger !== event.pointerId) return;
  const pixels = face.part[2] / svg.getBoundingClientRect().width;
  moved(dragged.handle, (event.clientX - dragged.x) * pixels, (event.clientY - dragged.y) * pixels);
  Object.assign(dragged, {x: event.clientX, y: event.clientY});
});
for (const end of ['pointerup', 'pointercancel']) {
  svg.addEventListener(end, ({pointerId}) => {
    if (dragged?.finger !== pointerId) return;
    dragged = null;
    commit();
  });
}
// A finger on a landmark drags it; elsewhere it scrolls the page.
svg.addEventListener('touchstart', (event) => {
  if (event.target.closest('[data-point]')) event.preventDefault();
}, {passive: false});
handles.addEventListener('keydown', (event) => {
  const handle = event.target, way = ARROWS[event.key], page = PAGES[event.key];
  if (way) {
    const pixels = (event.shiftKey ? 10 : 1) / scale;
    moved(handle, way[0] * pixels, way[1] * pixels);
    commit();
  } else if (page) {
    const feature = parts.features.find((points) => points.includes(Number(handle.dataset.point)));
    const beside = [...handles.children].filter((one) => feature.includes(Number(one.dataset.point)));
    beside.at((beside.indexOf(handle) + page) % beside.length).focus();
  } else {
    return;
  }
  event.preventDefault();
});
handles.addEventListener('focusin', ({target}) => {
  const feature = parts.features.find((points) => points.includes(Number(target.dataset.point)));
  for (const one of handles.children) {
    if (feature.includes(Number(one.dataset.point))) one.setAttribute('tabindex', one === target ? 0 : -1);
  }
  show(target);
});
for (const slider of sliders) {
  slider.addEventListener('input', draw);
  slider.addEventListener('change', commit);
}
watch(['face', 'value'], update);
update();
