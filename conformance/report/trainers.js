/* The move from one trainer to another, and what its policies mean. */

class Moves {
  constructor(report) {
    const { names, rows, reasons, wrong } = report.trainers;
    Object.assign(this, { names, rows, reasons, wrong });
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
    const told = this.rows.filter(([, , says]) => says[one].length && says[other].length);
    const items = this.changes(told, one, other);
    const shown = new Set(items.flatMap(([, , , reasons]) => reasons.map(String)));
    const changed = items.map(([rows, mine, theirs, reasons]) => el("li", {},
      rows.flatMap(([name, anchor], index) => [index ? "; " : "", el("a", { href: `#${anchor}` }, name)]),
      " ", el("span", { class: "change" }, this.said(mine), " ",
        el("span", { "aria-label": "becomes" }, "→"), " ", this.said(theirs)),
      reasons.map((flaw) => el("span", { class: "change" }, this.flaw(...flaw)))));
    const alone = [[one, other], [other, one]].flatMap(([column, against]) => {
      const shared = new Set(this.wrong[against].map(([reason]) => reason));
      return this.wrong[column]
        .filter(([reason]) => !shared.has(reason) && !shown.has(String([column, reason])))
        .map(([reason]) => el("li", {}, this.flaw(column, reason)));
    });
    const number = changed.length + alone.length;
    document.getElementById("move-changes").replaceChildren(...changed, ...alone);
    document.getElementById("move-count").textContent =
      `${number} ${number === 1 ? "thing" : "things"}${number ? ":" : "."}`;
    const untold = this.rows.filter((row) => !told.includes(row));
    const note = document.getElementById("move-untold");
    note.hidden = untold.length === 0 || one === other;
    note.textContent =
      `Not compared, as one of the two did not run it: ${untold.map(([name]) => name).join("; ")}.`;
  }

  /** Rows, what both do, and [column, reason] of those that are only wrong: alike changes are one. */
  changes(rows, one, other) {
    const alike = new Map();
    for (const row of rows) {
      const [, , says, wrong] = row;
      const [mine, theirs] = [JSON.stringify(says[one]), JSON.stringify(says[other])];
      if (mine === theirs) continue;
      const reasons = [one, other].flatMap((column) => wrong[column].map((reason) => [column, reason]));
      const key = `${mine} ${theirs} ${JSON.stringify(reasons)}`;
      if (!alike.has(key)) alike.set(key, [[], says[one], says[other], reasons]);
      alike.get(key)[0].push(row);
    }
    return [...alike.values()];
  }

  said(told) {
    return told.flatMap(([name, words], index) => [index ? "; " : "", this.term(name, words)]);
  }

  term(name, words) {
    if (name === "wrong") return el("b", { class: "bad" }, "✗ wrong");
    if (!this.glossary.has(name)) return words;
    const href = "#policy-" + encodeURIComponent(name);
    return el("a", { class: "term", href, "data-term": name }, words);
  }

  flaw(column, number) {
    const [text, link, href] = this.reasons[number];
    const [, cases] = this.wrong[column].find(([reason]) => reason === number);
    const issue = link ? [el("span", { class: "key" }, "[", sourceLink(link, href), "]"), " "] : [];
    return [el("b", { class: "bad" }, `✗ ${this.names[column]}`), " ", text, " ", issue,
      el("span", { class: "key" }, `Wrong on ${cases} ${cases === 1 ? "scenario" : "scenarios"}.`)];
  }

  explain(link) {
    const found = link && this.glossary.get(link.dataset.term);
    this.tip.hidden = !found;
    if (!found) return;
    const [means, matters] = found;
    this.tip.replaceChildren(el("b", {}, link.dataset.term), el("span", {}, means), el("span", { class: "key" }, matters));
    const box = link.getBoundingClientRect();
    const root = document.documentElement;
    const room = root.clientWidth - this.tip.offsetWidth - 8;
    this.tip.style.left = `${Math.max(8, Math.min(box.left, room))}px`;
    const below = box.bottom + 6 + this.tip.offsetHeight < root.clientHeight;
    this.tip.style.top = `${below ? box.bottom + 6 : box.top - 6 - this.tip.offsetHeight}px`;
  }
}
