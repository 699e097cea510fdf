/* Error against logit: one canvas for each output and dtype. */

const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "plus", "wedge", "star"];
const PLOTTED = [["loss", "loss"], ["logits_grad", "gradient"]];
const LINEAR = 0.1; // Below this the axis of logits is linear, beyond it logarithmic.
const WIDEST = 1e3;
const FLOOR = 0.1;
const CEILING = 1e9;
const MARGIN = { left: 40, right: 10, top: 8, bottom: 20 };

function number(text) {
  return { inf: Infinity, "-inf": -Infinity, nan: NaN }[text] ?? Number(text);
}

function inputOf(kase, name) {
  const found = kase.inputs.find(([input]) => input === name);
  // An array that is described, or too long to be shown whole, has no value an element here.
  return found && found[2] === found[3].length ? found[3].map(number) : null;
}

/** Each element of each answer whose logit is known: {x, target, ulp, row, output, element}. */
function pointsOf(rows, output) {
  const points = [];
  for (const row of rows) {
    const answer = row.answers.get(output);
    if (row.case.operation !== "bce_with_logits" || !answer) continue;
    row.case.logits ??= inputOf(row.case, "logits") ?? [];
    row.case.targets ??= inputOf(row.case, "targets") ?? [];
    const { logits, targets } = row.case;
    if (answer.ulps.length !== logits.length) continue;
    answer.ulps.forEach((ulp, element) => {
      const x = logits[element];
      const target = targets.length === logits.length ? targets[element] : NaN;
      if (!Number.isNaN(x)) points.push({ x, target, ulp, row, output, element });
    });
  }
  // Filled marks first: an outline on the same spot stays to be seen.
  return points.sort((one, other) => filled(other.row) - filled(one.row));
}

function targetKind(target) {
  if (target === 0 || target === 1) return String(target);
  return target > 0 && target < 1 ? "between" : "";
}

class Plots {
  constructor(report, onOpen) {
    this.onOpen = onOpen;
    this.grid = document.getElementById("plot-grid");
    this.tip = document.getElementById("plot-tip");
    this.hidden = new Set();
    this.target = "all";
    this.panels = this.panelsOf(report);
    this.adapters = [...new Set(this.panels.flatMap(({ points }) =>
      points.map(({ row }) => row.subject.adapter)))].sort(compareTexts);
    const section = document.getElementById("plots");
    section.hidden = this.panels.length === 0;
    this.legend();
    document.getElementById("plot-target").addEventListener("change", (event) => {
      this.target = event.target.value;
      this.draw();
    });
    let width = 0;
    new ResizeObserver(() => {
      if (this.grid.clientWidth === width) return;
      width = this.grid.clientWidth;
      this.draw();
    }).observe(this.grid);
  }

  panelsOf(report) {
    const dtypes = [...new Set(report.rows.map((row) => row.dtype))].sort(byPlace(DTYPE_ORDER));
    const panels = [];
    for (const [output, label] of PLOTTED) {
      const multiples = el("div", { class: "multiples" });
      this.grid.append(multiples);
      for (const dtype of dtypes) {
        const points = pointsOf(report.rows.filter((row) => row.dtype === dtype), output);
        if (points.length > 0) panels.push(this.panel(multiples, points, `${label}, ${dtype}`));
      }
    }
    const finite = panels.flatMap((panel) => panel.points.map((point) => Math.abs(point.x)))
      .filter(Number.isFinite);
    const most = finite.reduce((one, other) => Math.max(one, other), 10);
    this.limit = Math.min(WIDEST, most * 1.05);
    // What is beyond the axis, or infinite, goes to a lane at either end.
    this.beyond = panels.some(({ points }) => points.some(({ x }) => Math.abs(x) > this.limit));
    this.ends = most > WIDEST ? ["<−1e3", ">1e3"] : ["−∞", "∞"];
    this.untold = panels.some((panel) => panel.points.some(({ ulp }) => ulp === null));
    return panels;
  }

  panel(multiples, points, title) {
    const canvas = el("canvas", { role: "img", "aria-label": `Error against logit: ${title}` });
    multiples.append(el("figure", {}, el("figcaption", {}, title), canvas));
    const panel = { points, canvas, placed: [] };
    canvas.addEventListener("pointermove", (event) => this.point(panel, event));
    canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    canvas.addEventListener("click", (event) => {
      const near = this.point(panel, event);
      if (near) this.onOpen(near.row);
    });
    return panel;
  }

  legend() {
    const legend = document.getElementById("plot-legend");
    this.adapters.forEach((adapter, index) => {
      const input = el("input", { type: "checkbox", checked: true });
      const canvas = el("canvas", { class: `key-mark s${index % SHAPES.length}` });
      input.addEventListener("change", () => {
        if (input.checked) this.hidden.delete(adapter);
        else this.hidden.add(adapter);
        this.draw();
      });
      legend.append(el("label", {}, input, canvas, adapter));
    });
    if (this.panels.some(({ points }) => points.some(({ row }) => filled(row)))) {
      legend.append(el("span", { class: "key" }, "open: CPU, filled: other devices"));
    }
  }

  draw() {
    this.colors = this.adapters.map((_, index) => {
      const mark = document.querySelectorAll("#plot-legend canvas")[index];
      const color = getComputedStyle(mark).color;
      const context = prepare(mark, 16, 16);
      marker(context, SHAPES[index % SHAPES.length], 8, 8, color, false);
      return color;
    });
    this.inks = getComputedStyle(this.grid);
    for (const panel of this.panels) this.drawPanel(panel);
  }

  drawPanel(panel) {
    const width = panel.canvas.parentElement.clientWidth;
    const height = Math.round(Math.min(230, Math.max(160, width * 0.8)));
    const context = prepare(panel.canvas, width, height);
    const scale = this.scale(width, height);
    this.axes(context, scale, width, height);
    const seen = new Set();
    panel.placed = [];
    for (const point of panel.points) {
      const { row } = point;
      if (this.hidden.has(row.subject.adapter)) continue;
      if (this.target !== "all" && targetKind(point.target) !== this.target) continue;
      const index = this.adapters.indexOf(row.subject.adapter);
      const x = scale.x(point.x);
      const y = scale.y(point.ulp);
      panel.placed.push({ x, y, point });
      const spot = `${Math.round(x)},${Math.round(y)},${row.subject.index}`;
      if (seen.has(spot)) continue;
      seen.add(spot);
      marker(context, SHAPES[index % SHAPES.length], x, y, this.colors[index], filled(row));
    }
  }

  /** From a logit or an error to a place on the canvas; what has none goes to a lane beyond. */
  scale(width, height) {
    const lane = this.beyond ? 20 : 4;
    const left = MARGIN.left + lane;
    const right = width - MARGIN.right - lane;
    const top = MARGIN.top + (this.untold ? 18 : 4);
    const bottom = height - MARGIN.bottom - 6;
    const middle = (left + right) / 2;
    const reach = Math.asinh(this.limit / LINEAR);
    const decades = Math.log10(CEILING / FLOOR);
    return {
      left, right, top, bottom, middle,
      x: (logit) => {
        if (logit < -this.limit) return left - lane + 6;
        if (logit > this.limit) return right + lane - 6;
        return middle + Math.asinh(logit / LINEAR) / reach * (right - middle);
      },
      y: (ulp) => {
        if (ulp === null) return MARGIN.top;
        const part = Math.log10(Math.min(CEILING, Math.max(FLOOR, ulp)) / FLOOR) / decades;
        return bottom - part * (bottom - top);
      },
    };
  }

  axes(context, scale, width, height) {
    const line = this.inks.getPropertyValue("border-top-color");
    context.font = `10px ${this.inks.fontFamily}`;
    context.fillStyle = this.inks.color;
    context.strokeStyle = line;
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    const levels = [[FLOOR, "≤0.1"], [1, "1"], [1e3, "1e3"], [1e6, "1e6"], [CEILING, "≥1e9"]];
    for (const [ulp, label] of levels) rule(scale.y(ulp), label);
    if (this.untold) context.fillText("no ulp", MARGIN.left - 4, MARGIN.top);
    context.textAlign = "center";
    context.textBaseline = "top";
    const ticks = [1, 10, 100].filter((tick) => tick < this.limit);
    const labelled = this.beyond ? [scale.x(-Infinity), scale.x(Infinity)] : [];
    const marks = [0, ...ticks.reverse().flatMap((tick) => [-tick, tick])];
    for (const tick of marks) {
      const x = Math.round(scale.x(tick)) + 0.5;
      context.globalAlpha = tick === 0 ? 1 : 0.45;
      context.beginPath();
      context.moveTo(x, scale.top);
      context.lineTo(x, scale.bottom);
      context.stroke();
      context.globalAlpha = 1;
      if (labelled.some((other) => Math.abs(other - x) < 30)) continue;
      labelled.push(x);
      context.fillText(String(tick).replace("-", "−"), x, height - MARGIN.bottom + 4);
    }
    if (this.beyond) {
      context.fillText(this.ends[0], scale.x(-Infinity), height - MARGIN.bottom + 4);
      context.fillText(this.ends[1], scale.x(Infinity), height - MARGIN.bottom + 4);
    }

    function rule(y, text) {
      const at = Math.round(y) + 0.5;
      context.globalAlpha = 0.45;
      context.beginPath();
      context.moveTo(scale.left, at);
      context.lineTo(scale.right, at);
      context.stroke();
      context.globalAlpha = 1;
      context.fillText(text, MARGIN.left - 4, at);
    }
  }

  /** Tells of the marks under the pointer; returns the nearest one. */
  point(panel, event) {
    const box = panel.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let near = null;
    let least = 12;
    for (const spot of panel.placed) {
      const distance = Math.hypot(spot.x - x, spot.y - y);
      if (distance < least) [near, least] = [spot, distance];
    }
    this.tip.hidden = near === null;
    panel.canvas.classList.toggle("pointing", near !== null);
    if (near === null) return null;
    const { point } = near;
    const same = panel.placed.filter(({ point: other }) => other.row.case === point.row.case
      && other.element === point.element && other.ulp === point.ulp);
    const names = same.map(({ point: { row: { subject } } }) => `${subject.adapter} ${subject.device}`);
    const error = point.ulp === null ? "no distance in ulp" : `${ulpText(point.ulp)} ulp`;
    this.tip.replaceChildren(
      el("b", {}, point.row.case.id),
      el("span", {}, `logit ${point.x}${Number.isNaN(point.target) ? "" : `, target ${point.target}`}`),
      el("span", {}, `${error}: ${names.join(", ")}`));
    const room = document.documentElement.clientWidth - this.tip.offsetWidth - 8;
    this.tip.style.left = `${Math.max(8, Math.min(event.clientX + 12, room))}px`;
    this.tip.style.top = `${event.clientY + 16}px`;
    return point;
  }
}

function filled(row) {
  return row.subject.device !== "cpu";
}

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
