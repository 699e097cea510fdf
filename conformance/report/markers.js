/* Draws the marks of the plots: a shape for each adapter, filled for what is no CPU. */

const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "plus", "wedge", "star"];

/** A canvas of `width` x `height` CSS pixels, sharp on dense screens, and empty. */
function prepare(canvas, width, height) {
  const density = devicePixelRatio || 1;
  canvas.width = width * density;
  canvas.height = height * density;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(density, density);
  return context;
}

/** The shape and the class of the colour of a series: sixty-four that can be told apart. */
function styleOf(index) {
  const turn = Math.floor(index / SHAPES.length);
  return [SHAPES[index % SHAPES.length], `s${(index + 3 * turn) % SHAPES.length}`];
}

/** Outlines of different reach, so that marks on the same spot can be told apart. */
function marker(context, shape, x, y, color, isFilled) {
  const outlines = {
    square: [[-3, -3], [3, -3], [3, 3], [-3, 3]],
    triangle: [[0, -4.6], [4.2, 3], [-4.2, 3]],
    diamond: [[0, -5], [5, 0], [0, 5], [-5, 0]],
    wedge: [[0, 4.6], [4.2, -3], [-4.2, -3]],
  };
  const strokes = {
    cross: [[-3, -3, 3, 3], [-3, 3, 3, -3]],
    plus: [[-4, 0, 4, 0], [0, -4, 0, 4]],
    star: [[-3, -3, 3, 3], [-3, 3, 3, -3], [-4, 0, 4, 0], [0, -4, 0, 4]],
  };
  context.strokeStyle = color;
  context.fillStyle = color;
  context.lineWidth = 1.1;
  context.globalAlpha = 0.85;
  context.beginPath();
  if (shape === "circle") context.arc(x, y, 2.6, 0, 7);
  for (const [fromX, fromY, toX, toY] of strokes[shape] ?? []) {
    context.moveTo(x + fromX, y + fromY);
    context.lineTo(x + toX, y + toY);
  }
  const outline = outlines[shape] ?? [];
  outline.forEach(([dx, dy], index) => (index
    ? context.lineTo(x + dx, y + dy) : context.moveTo(x + dx, y + dy)));
  if (outline.length) context.closePath();
  if (isFilled && !strokes[shape]) context.fill();
  context.stroke();
  context.globalAlpha = 1;
}

const STAMP = 16;

/** A mark to be put on a plot many times: that takes a tenth of the time of drawing it there. */
function stampOf(shape, color, isFilled) {
  const canvas = el("canvas");
  marker(prepare(canvas, STAMP, STAMP), shape, STAMP / 2, STAMP / 2, color, isFilled);
  return canvas;
}

/** On whole pixels of the screen, so that it stays sharp. */
function stamp(context, mark, x, y) {
  const density = devicePixelRatio || 1;
  const [left, top] = [x, y].map((middle) => Math.round((middle - STAMP / 2) * density) / density);
  context.drawImage(mark, left, top, STAMP, STAMP);
}
