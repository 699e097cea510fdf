/* Error against logit: one canvas for each output and dtype, for the pointer and the keyboard. */

class Plots {
  /** Nothing is looked up before the section comes near: most readers start with the table. */
  constructor(report, onOpen) {
    this.report = report;
    this.onOpen = onOpen;
    this.section = document.getElementById("plots");
    this.grid = document.getElementById("plot-grid");
    this.tip = document.getElementById("plot-tip");
    this.hidden = new Set();
    this.target = "all";
    this.panels = null;
    this.offer(report.cases.some(({ operation, rows }) =>
      operation === "bce_with_logits" && rows.length > 0));
    new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      this.start();
    }, { rootMargin: "100%" }).observe(this.section);
  }

  /** Shows the section, and its place in the contents, or hides both. */
  offer(isShown) {
    this.section.hidden = !isShown;
    const entry = document.querySelector("nav a[href='#plots']")?.parentElement;
    if (entry) entry.hidden = !isShown;
  }

  start() {
    this.panels = plotted(this.report).map((found) => new Panel(this, found));
    this.offer(this.panels.length > 0);
    this.reach = reachOf(this.panels);
    this.adapters = [...new Set(this.panels.flatMap(({ spots }) =>
      spots.flatMap(({ rows }) => rows.map(({ subject }) => subject.adapter))))].sort(compareTexts);
    this.choose();
    this.place();
    this.legend();
    document.getElementById("plot-target").addEventListener("change", (event) => {
      this.target = event.target.value;
      this.draw();
    });
    const numbers = document.getElementById("plot-numbers");
    numbers.addEventListener("toggle", () => {
      numbers.querySelector("tbody").replaceChildren(...this.numberLines());
    });
    let width = 0;
    new ResizeObserver(() => {
      if (this.grid.clientWidth === width) return;
      width = this.grid.clientWidth;
      this.draw();
    }).observe(this.grid);
  }

  /** Ways to run one framework lie upon its plain form: with many series they are left out at first. */
  choose() {
    const plain = this.adapters.filter((adapter) => !adapter.includes(":"));
    if (this.adapters.length <= SHAPES.length || plain.length === 0) return;
    this.adapters = [...plain, ...this.adapters.filter((adapter) => adapter.includes(":"))];
    this.hidden = new Set(this.adapters.slice(plain.length));
  }

  place() {
    for (const [, label] of PLOTTED) {
      const figures = this.panels.filter((panel) => panel.label === label).map(({ figure }) => figure);
      this.grid.append(el("div", { class: "multiples" }, figures));
    }
  }

  legend() {
    const legend = document.getElementById("plot-legend");
    this.adapters.forEach((adapter, index) => {
      const input = el("input", { type: "checkbox", checked: !this.hidden.has(adapter) });
      const canvas = el("canvas", { class: `key-mark ${styleOf(index)[1]}` });
      input.addEventListener("change", () => {
        if (input.checked) this.hidden.delete(adapter);
        else this.hidden.add(adapter);
        this.draw();
      });
      legend.append(el("label", {}, input, canvas, adapter));
    });
    if (this.panels.some(({ spots }) => spots.some(({ rows }) => rows.some(filled)))) {
      legend.append(el("span", { class: "key" }, "open: CPU, filled: other devices"));
    }
  }

  draw() {
    if (this.panels === null) return;
    const marks = document.querySelectorAll("#plot-legend canvas");
    this.stamps = this.adapters.map((_, index) => {
      const { color } = getComputedStyle(marks[index]);
      const [shape] = styleOf(index);
      marker(prepare(marks[index], 16, 16), shape, 8, 8, color, false);
      return [false, true].map((isFilled) => stampOf(shape, color, isFilled));
    });
    const style = getComputedStyle(this.grid);
    this.ink = { text: style.color, line: style.borderTopColor, font: style.fontFamily };
    for (const panel of this.panels) panel.draw();
  }

  /** Whether the legend lets a result be seen. */
  shows(row) {
    return !this.hidden.has(row.subject.adapter);
  }

  /** The plots in words: of each adapter in each, how many marks there are, and the worst. */
  numberLines() {
    return this.panels.flatMap((panel) => this.adapters.map((adapter) => {
      const mine = panel.spots.filter(({ rows }) => rows.some(({ subject }) => subject.adapter === adapter));
      if (mine.length === 0) return null;
      const sorted = mine.map(({ ulp }) => ulp ?? Infinity).sort(compareNumbers);
      const median = sorted[Math.floor((sorted.length - 1) / 2)];
      const worst = mine.reduce((one, other) => ((other.ulp ?? Infinity) > (one.ulp ?? Infinity) ? other : one));
      return el("tr", {},
        el("th", { scope: "row" }, panel.title), el("td", { class: "text" }, adapter),
        el("td", {}, mine.length.toLocaleString("en")),
        el("td", {}, median === Infinity ? "none" : ulpText(median)),
        el("td", {}, worst.ulp === null ? "none" : ulpText(worst.ulp)),
        el("td", {}, inputText(worst.x)),
        el("td", { class: "text" }, el("a", { href: caseHref(worst.case.id) }, breakable(worst.case.id))));
    })).filter((line) => line !== null);
  }
}

/** One plot. */
class Panel {
  constructor(plots, { label, dtype, spots }) {
    Object.assign(this, { plots, label, spots, title: `${label}, ${dtype}`, placed: [], at: -1 });
    // The keys are handed on to an application only; what it says is in the tip, and in numbers below.
    this.canvas = el("canvas", {
      tabindex: 0, role: "application", "aria-roledescription": "plot",
      "aria-label": `Error against logit: ${this.title}`, "aria-describedby": "plot-keys",
    });
    this.ring = el("span", { class: "ring", hidden: true });
    this.figure = el("figure", {}, el("figcaption", {}, this.title),
      el("div", { class: "plot" }, this.canvas, this.ring));
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => { plots.tip.hidden = true; });
    this.canvas.addEventListener("click", (event) => {
      const near = this.hover(event);
      if (near) plots.onOpen(near.rows[0]);
    });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("focus", () => {
      if (this.canvas.matches(":focus-visible")) this.walk(Math.max(0, this.at));
    });
    this.canvas.addEventListener("blur", () => {
      plots.tip.hidden = true;
      this.ring.hidden = true;
    });
  }

  draw() {
    const { plots } = this;
    const width = this.figure.clientWidth;
    const height = Math.round(Math.min(230, Math.max(160, width * 0.8)));
    const context = prepare(this.canvas, width, height);
    const scale = scaleOf(plots.reach, width, height);
    drawAxes(context, scale, plots.reach, plots.ink, height);
    this.placed = this.spots
      .filter((spot) => plots.target === "all" || targetKind(spot.target) === plots.target)
      .map((spot) => ({
        spot, x: scale.x(spot.x), y: scale.y(spot.ulp), rows: spot.rows.filter((row) => plots.shows(row)),
      }))
      .filter(({ rows }) => rows.length > 0);
    // Filled marks first: an outline on the same spot stays to be seen.
    for (const kind of [true, false]) this.drawMarks(context, kind);
    this.at = Math.min(this.at, this.placed.length - 1);
    this.canvas.dataset.marks = this.placed.length;
  }

  drawMarks(context, kind) {
    const seen = new Set();
    for (const { x, y, rows } of this.placed) {
      for (const row of rows) {
        if (filled(row) !== kind) continue;
        const adapter = this.plots.adapters.indexOf(row.subject.adapter);
        // Marks of one adapter on one pixel are one mark.
        const pixel = (Math.round(x) * 4096 + Math.round(y)) * 1024 + adapter;
        if (seen.has(pixel)) continue;
        seen.add(pixel);
        stamp(context, this.plots.stamps[adapter][Number(kind)], x, y);
      }
    }
  }

  /** Tells of the mark under the pointer, and returns it. */
  hover(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let near = null;
    let least = 12;
    for (const found of this.placed) {
      const distance = Math.hypot(found.x - x, found.y - y);
      if (distance < least) [near, least] = [found, distance];
    }
    this.canvas.classList.toggle("pointing", near !== null);
    this.tell(near, event.clientX + 12, event.clientY + 16);
    return near;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.placed.length === 0) return;
    const last = this.placed.length - 1;
    const goals = {
      ArrowRight: Math.min(last, this.at + 1),
      ArrowLeft: Math.max(0, this.at - 1),
      PageDown: Math.min(last, this.at + 20),
      PageUp: Math.max(0, this.at - 20),
      Home: 0,
      End: last,
    };
    if (event.key in goals) this.walk(goals[event.key]);
    else if (event.key === "Enter" && this.at >= 0) this.plots.onOpen(this.placed[this.at].rows[0]);
    else if (event.key === "Escape") this.plots.tip.hidden = true;
    else return;
    event.preventDefault();
  }

  walk(at) {
    if (this.placed.length === 0) return;
    this.at = at;
    const { x, y } = this.placed[at];
    this.ring.hidden = false;
    this.ring.style.left = `${x}px`;
    this.ring.style.top = `${y}px`;
    this.canvas.scrollIntoView({ block: "nearest" });
    const box = this.canvas.getBoundingClientRect();
    this.tell(this.placed[at], box.left + x + 12, box.top + y + 16);
  }

  /** Shows a mark in words beside a place of the window; hides them for null. */
  tell(found, left, top) {
    const { tip } = this.plots;
    tip.hidden = found === null;
    if (found === null) return;
    const [id, ...lines] = spotTexts(found.spot, found.rows);
    tip.replaceChildren(el("b", {}, id), ...lines.map((line) => el("span", {}, line)));
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(left, room))}px`;
    tip.style.top = `${Math.min(top, innerHeight - tip.offsetHeight - 4)}px`;
  }
}

function filled(row) {
  return row.subject.device !== "cpu";
}
