() => {
  // A pointer for the keyboard on pictures: arrow keys move a cross (with Shift by single pixels), Enter or Space clicks.
  const PLACES = '#rectangle-area, .image-container[role=application]'; // scripts/rectangle.js, scripts/accessible.js
  const STEP = 10; // pixels of an arrow key
  const WAYS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  const CLICK = ['pointerdown', 'pointerup', 'click'];
  const cross = document.createElement('i');
  cross.id = 'cross';
  let x = 0, y = 0; // pixels, in the focused element

  const point = (place, types) => {
    [cross.style.left, cross.style.top] = [`${x}px`, `${y}px`];
    const {left, top} = place.getBoundingClientRect();
    const where = {bubbles: true, cancelable: true, clientX: left + x, clientY: top + y};
    const target = place.querySelector('button') ?? place;
    for (const type of types) target.dispatchEvent(new PointerEvent(type, where));
  };

  document.addEventListener('focusin', ({target}) => {
    if (!target.matches(PLACES)) return;
    target.append(cross);
    [x, y] = [target.clientWidth / 2, target.clientHeight / 2];
    point(target, []);
  });

  document.addEventListener('keydown', (event) => {
    const {target, key, shiftKey} = event, way = WAYS[key];
    if (!target.matches(PLACES) || !(way || key === 'Enter' || key === ' ')) return;
    event.preventDefault();
    if (!way) return point(target, CLICK);
    const moved = (at, by, most) => Math.max(0, Math.min(most, at + by * (shiftKey ? 1 : STEP)));
    [x, y] = [moved(x, way[0], target.clientWidth), moved(y, way[1], target.clientHeight)];
    point(target, ['pointermove']);
  });
}
