/* The move from one trainer to another, and what its policies mean. */

class Moves {
  constructor(report) {
    [this.names, this.rows] = report.trainers;
    this.glossary = report.glossary;
    this.from = document.getElementById("move-from");
    this.to = document.getElementById("move-to");
    if (!this.from) return;
    for (const select of [this.from, this.to]) select.addEventListener("change", () => this.show());
    const section = document.getElementById("trainers");
    this.tip = document.getElementById("term-tip");
    for (const name of ["pointerover", "focusin"]) {
      section.addEventListener(name, (event) => this.explain(event.target.closest(".term")));
    }
    for (const name of ["pointerout", "focusout"]) {
      section.addEventListener(name, () => { this.tip.hidden = true; });
    }
    section.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.tip.hidden = true;
    });
  }

  show() {
    const [one, other] = [Number(this.from.value), Number(this.to.value)];
    const told = this.rows.filter(([, , cells]) => cells[one].length && cells[other].length);
    const changed = told.filter(([, , cells]) => cells[one].join() !== cells[other].join());
    const untold = this.rows.filter((row) => !told.includes(row));
    document.getElementById("move-changes").replaceChildren(...changed.map(([name, anchor, cells]) =>
      el("li", {}, el("a", { href: `#${anchor}` }, name), " ", el("span", { class: "change" },
        this.terms(cells[one]), " ", el("span", { "aria-label": "becomes" }, "→"), " ",
        this.terms(cells[other]), this.means(one, cells[one]), this.means(other, cells[other])))));
    const things = changed.length === 1 ? "thing" : "things";
    document.getElementById("move-count").textContent =
      `${changed.length} ${things}${changed.length ? ":" : "."}`;
    const note = document.getElementById("move-untold");
    note.hidden = untold.length === 0 || one === other;
    note.textContent =
      `Not compared, as one of the two did not run it: ${untold.map(([name]) => name).join("; ")}.`;
  }

  terms(names) {
    return names.flatMap((name, index) => [index ? ", " : "", this.term(name)]);
  }

  /** What the policy says that a trainer mostly follows. */
  means(trainer, [name]) {
    const found = this.glossary.get(name);
    return found ? el("span", { class: "key" }, el("b", {}, this.names[trainer]), " ", found[0]) : [];
  }

  term(name) {
    if (name === "wrong") return el("b", { class: "bad" }, name);
    if (!this.glossary.has(name)) return breakable(name);
    const href = "#policy-" + encodeURIComponent(name);
    return el("a", { class: "term", href, "data-term": name }, breakable(name));
  }

  explain(link) {
    const found = link && this.glossary.get(link.dataset.term);
    this.tip.hidden = !found;
    if (!found) return;
    const [means, matters] = found;
    this.tip.replaceChildren(el("span", {}, means), el("span", { class: "key" }, matters));
    const box = link.getBoundingClientRect();
    const root = document.documentElement;
    const room = root.clientWidth - this.tip.offsetWidth - 8;
    this.tip.style.left = `${Math.max(8, Math.min(box.left, room))}px`;
    const below = box.bottom + 6 + this.tip.offsetHeight < root.clientHeight;
    this.tip.style.top = `${below ? box.bottom + 6 : box.top - 6 - this.tip.offsetHeight}px`;
  }
}
