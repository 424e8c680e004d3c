// The canvas: a photo with strokes, with zoom and pan, for mouse, pen, touch and keyboard.

// Draws strokes onto a context in photo pixels. The worker also uses it, to make the mask.
export function paint(context, strokes) {
  context.strokeStyle = "rgb(230 0 60)";
  context.lineCap = context.lineJoin = "round";
  for (const { erase, width, points } of strokes.slice(strokes.findLastIndex(({ clear }) => clear) + 1)) {
    context.globalCompositeOperation = erase ? "destination-out" : "source-over";
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(points[0][0] + 0.01, points[0][1]); // a line of no length would draw nothing
    for (const [x, y] of points) context.lineTo(x, y);
    context.stroke();
  }
  context.globalCompositeOperation = "source-over";
}

export class Sketch {
  strokes = [];
  tool = "brush";
  size = 30; // of the brush, in CSS pixels with the whole photo in view
  before = 1; // the share of the canvas, from the left, that shows photo and strokes; the rest shows the result
  #undone = [];
  #photo; // ImageBitmap
  #patches = []; // accepted results: { picture: ImageBitmap, left, top }
  #result; // a patch that is not yet accepted
  #view = { scale: 1, x: 0, y: 0 }; // canvas pixel = photo pixel * scale + (x, y)
  #pointers = new Map();
  #stroke; // the current stroke
  #cross; // the keyboard's position, in photo pixels
  #due = false;

  // changed(): called when the strokes change.
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.layer = document.createElement("canvas");
    const listen = (type, act) => canvas.addEventListener(type, (event) => this.#photo && act(event));
    listen("pointerdown", (event) => this.#down(event));
    listen("pointermove", (event) => this.#drag(event));
    listen("pointerup", (event) => this.#up(event));
    listen("pointercancel", (event) => { this.#stroke = undefined; this.#up(event); });
    listen("keydown", (event) => this.#key(event));
    listen("keyup", (event) => { if (event.key === " ") this.#end(); });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / (event.deltaMode ? 15 : 500)), this.#at(event));
    }, { passive: false });
    canvas.addEventListener("blur", () => { this.#end(); this.#cross = undefined; this.draw(); });
    new ResizeObserver(() => this.#resize()).observe(canvas);
  }

  open(photo) {
    this.show(undefined);
    for (const { picture } of this.#patches) picture.close();
    this.#photo?.close();
    this.#photo = photo;
    this.#patches = [];
    this.#cross = undefined;
    this.#forget();
    this.canvas.style.aspectRatio = photo.width / photo.height;
    this.#resize();
    this.fit();
  }

  // result: { picture, left, top }, or undefined.
  show(result) {
    this.#result?.picture.close();
    this.#result = result;
    this.before = result ? 0 : 1;
    this.draw();
  }

  // Makes the result a part of the photo.
  goOn() {
    this.#patches.push(this.#result);
    this.#result = undefined;
    this.#forget();
  }

  #forget() {
    this.strokes = [];
    this.#undone = [];
    this.#stroke = undefined;
    this.#edited();
  }

  get canUndo() { return this.strokes.length > 0; }
  get canRedo() { return this.#undone.length > 0; }
  undo() { if (this.canUndo) this.#undone.push(this.strokes.pop()); this.#edited(); }
  redo() { if (this.canRedo) this.strokes.push(this.#undone.pop()); this.#edited(); }
  clear() { this.#add({ clear: true }); }

  fit() {
    if (!this.#photo) return;
    const { width, height } = this.canvas;
    const scale = this.#fitted();
    this.#view = { scale, x: (width - scale * this.#photo.width) / 2, y: (height - scale * this.#photo.height) / 2 };
    this.draw();
  }

  // by: > 1 enlarges. at: the canvas pixel that stays in place.
  zoom(by, at = [this.canvas.width / 2, this.canvas.height / 2]) {
    if (!this.#photo) return;
    const scale = Math.min(Math.max(this.#view.scale * by, this.#fitted()), 16 * devicePixelRatio);
    const ratio = scale / this.#view.scale;
    this.#view = { scale, x: at[0] - ratio * (at[0] - this.#view.x), y: at[1] - ratio * (at[1] - this.#view.y) };
    this.move(0, 0);
  }

  // In canvas pixels. The photo always covers the canvas, unless it is smaller.
  move(x, y) {
    const keep = (offset, room, length) => (length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, offset)));
    const { scale } = this.#view, { width, height } = this.canvas;
    this.#view.x = keep(this.#view.x + x, width, scale * this.#photo.width);
    this.#view.y = keep(this.#view.y + y, height, scale * this.#photo.height);
    this.draw();
  }

  // Draws once in the next frame.
  draw() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => { this.#due = false; this.#draw(); });
  }

  #draw() {
    const { canvas, layer } = this, { width, height } = canvas, { scale, x, y } = this.#view;
    const context = canvas.getContext("2d"), over = layer.getContext("2d");
    context.resetTransform();
    context.clearRect(0, 0, width, height);
    if (!this.#photo || !width || !height) return;
    const split = Math.round(width * (this.#result ? this.before : 1));
    const part = (picture, from, to) => {
      context.save();
      context.beginPath();
      context.rect(from, 0, to - from, height);
      context.clip();
      picture();
      context.restore();
    };
    const put = (patches) => {
      context.setTransform(scale, 0, 0, scale, x, y);
      context.imageSmoothingEnabled = scale < 4;
      context.drawImage(this.#photo, 0, 0);
      for (const { picture, left, top } of patches) context.drawImage(picture, left, top);
      context.resetTransform();
    };
    part(() => {
      put(this.#patches);
      over.resetTransform();
      over.clearRect(0, 0, width, height);
      over.setTransform(scale, 0, 0, scale, x, y);
      paint(over, this.#stroke ? [...this.strokes, this.#stroke] : this.strokes);
      context.globalAlpha = 0.55;
      context.drawImage(layer, 0, 0);
    }, 0, split);
    if (this.#result) {
      part(() => put([...this.#patches, this.#result]), split, width);
      if (split > 0 && split < width) this.#lines([[split, 0, split, height]]);
    }
    if (this.#cross) {
      const at = [this.#cross[0] * scale + x, this.#cross[1] * scale + y], arm = 14 * devicePixelRatio;
      this.#lines([[at[0] - arm, at[1], at[0] + arm, at[1]], [at[0], at[1] - arm, at[0], at[1] + arm]]);
    }
  }

  // White lines with a dark edge, visible on any photo.
  #lines(lines) {
    const context = this.canvas.getContext("2d");
    for (const [colour, width] of [["black", 4], ["white", 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = width * devicePixelRatio;
      context.beginPath();
      for (const [x1, y1, x2, y2] of lines) { context.moveTo(x1, y1); context.lineTo(x2, y2); }
      context.stroke();
    }
  }

  #resize() {
    const { canvas, layer } = this, fitted = this.#photo && this.#view.scale <= this.#fitted() * 1.001;
    canvas.width = layer.width = Math.round(canvas.clientWidth * devicePixelRatio);
    canvas.height = layer.height = Math.round(canvas.clientHeight * devicePixelRatio);
    if (this.#photo) fitted ? this.fit() : this.zoom(1);
  }

  #fitted() { return Math.min(this.canvas.width / this.#photo.width, this.canvas.height / this.#photo.height); }

  #at({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    return [(clientX - box.left) * devicePixelRatio, (clientY - box.top) * devicePixelRatio];
  }

  #inPhoto([x, y]) { return [(x - this.#view.x) / this.#view.scale, (y - this.#view.y) / this.#view.scale]; }

  #begin(point) {
    const width = this.size * devicePixelRatio / this.#fitted();
    this.#stroke = { erase: this.tool === "eraser", width, points: [point] };
    this.before = 1;
    this.draw();
  }

  #end() {
    const stroke = this.#stroke;
    this.#stroke = undefined;
    if (stroke) this.#add(stroke);
  }

  #add(stroke) {
    this.strokes.push(stroke);
    this.#undone = [];
    this.#edited();
  }

  #edited() {
    this.before = 1;
    this.changed();
    this.draw();
  }

  #down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.#cross = undefined;
    this.#pointers.set(event.pointerId, this.#at(event));
    if (this.#pointers.size > 1) this.#stroke = undefined; // two fingers never paint
    else if (this.tool !== "hand" && event.button === 0) this.#begin(this.#inPhoto(this.#at(event)));
    this.draw();
  }

  #drag(event) {
    if (!this.#pointers.has(event.pointerId)) return; // a stroke that did not begin here
    if (this.#stroke) {
      const events = event.getCoalescedEvents?.() ?? [];
      for (const part of events.length ? events : [event]) this.#stroke.points.push(this.#inPhoto(this.#at(part)));
      return this.draw();
    }
    const [middle, spread] = this.#fingers();
    this.#pointers.set(event.pointerId, this.#at(event));
    const [now, wider] = this.#fingers();
    if (spread) this.zoom(wider / spread, middle);
    this.move(now[0] - middle[0], now[1] - middle[1]);
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
    this.#end();
  }

  // The centre of the first two pointers and their distance, 0 for one.
  #fingers() {
    const [first, second = first] = this.#pointers.values();
    return [[(first[0] + second[0]) / 2, (first[1] + second[1]) / 2], Math.hypot(first[0] - second[0], first[1] - second[1])];
  }

  #key(event) {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const { width, height } = this.#photo;
    if (event.ctrlKey || event.metaKey || event.altKey || (event.key !== " " && !arrows[event.key])) return;
    event.preventDefault();
    this.#cross ??= this.#inPhoto([this.canvas.width / 2, this.canvas.height / 2]);
    if (event.key === " ") {
      if (!this.#stroke) this.#begin([...this.#cross]);
      return;
    }
    const step = (event.shiftKey ? 32 : 4) * devicePixelRatio / this.#view.scale;
    this.#cross = [0, 1].map((axis) =>
      Math.min(Math.max(this.#cross[axis] + step * arrows[event.key][axis], 0), axis ? height : width));
    this.#stroke?.points.push([...this.#cross]);
    const [x, y] = [this.#cross[0] * this.#view.scale + this.#view.x, this.#cross[1] * this.#view.scale + this.#view.y];
    const into = (at, room) => Math.min(Math.max(at, 0.1 * room), 0.9 * room) - at; // the cross stays in sight
    this.move(into(x, this.canvas.width), into(y, this.canvas.height));
  }
}
