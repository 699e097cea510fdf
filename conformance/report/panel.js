/* The case that the address names: its question, its truth, every answer. */

class CasePanel {
  /** `neighbours` lists the rows of the table's filter, in whose order its cases follow. */
  constructor(report, { onClose, neighbours }) {
    this.cases = new Map(report.cases.map((kase) => [kase.id, kase]));
    this.links = report.links;
    this.glossary = report.glossary;
    this.neighbours = neighbours;
    this.dialog = document.getElementById("panel");
    this.title = document.title;
    this.dtype = "";
    this.dialog.addEventListener("close", () => {
      document.title = this.title;
      onClose();
      this.returnFocus();
    });
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.close();
    });
    this.dialog.addEventListener("keydown", (event) => {
      const steps = { j: 1, k: -1 };
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in steps)) return;
      this.dialog.querySelector(`[data-step="${steps[event.key]}"]`)?.click();
    });
  }

  open(id) {
    const kase = this.cases.get(id);
    const step = document.activeElement?.dataset.step;
    this.id = id;
    const heading = el("h2", { id: "panel-id", tabindex: -1 }, breakable(id));
    this.dialog.replaceChildren(
      el("header", {}, heading, el("div", { class: "buttons" }, this.buttons(kase))),
      ...(kase ? this.content(kase) : [el("p", {}, "No case of this report has this id.")]),
    );
    this.dtype = "";
    document.title = `${id}: ${this.title}`;
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.scrollTop = 0;
    const again = step && this.dialog.querySelector(`[data-step="${step}"]:enabled`);
    (again || heading).focus();
  }

  close() {
    if (this.dialog.open) this.dialog.close();
  }

  /** Where the link was drawn anew meanwhile, the browser does not find its way back to it. */
  returnFocus() {
    if (document.activeElement !== document.body) return;
    const href = caseHref(this.id);
    const links = [...document.querySelectorAll("main a[href^='#case=']")];
    links.find((link) => link.getAttribute("href") === href)?.focus({ preventScroll: true });
  }

  buttons(kase) {
    const close = el("button", { type: "button", class: "quiet close" }, "close");
    close.addEventListener("click", () => this.close());
    if (!kase) return [close];
    const address = () => location.href.split("#")[0] + caseHref(kase.id);
    return [...this.steps(kase), copyButton("copy link", address), close];
  }

  /** To the cases before and after this one, of those that the table shows. */
  steps(kase) {
    const first = new Map();
    for (const row of this.neighbours()) if (!first.has(row.case)) first.set(row.case, row);
    const rows = [...first.values()];
    const at = rows.findIndex((row) => row.case === kase);
    if (at < 0) return [];
    const button = (step, words, key) => {
      const row = rows[at + step];
      const found = el("button", {
        type: "button", class: "quiet", "data-step": step, "aria-keyshortcuts": key,
        title: `${words} of the cases that the table shows (key ${key})`, disabled: !row,
      }, words);
      found.addEventListener("click", () => {
        this.dtype = row.dtype;
        // In place of this one: going back leaves the cases at once.
        location.replace(caseHref(row.case.id));
      });
      return found;
    };
    return [
      button(-1, "previous", "k"),
      el("span", { class: "key" }, `${(at + 1).toLocaleString("en")} of ${rows.length.toLocaleString("en")}`),
      button(1, "next", "j"),
    ];
  }

  content(kase) {
    const dtypes = [...new Set([...kase.dtypes, ...kase.rows.map((row) => row.dtype)])];
    dtypes.sort(byPlace(DTYPE_ORDER));
    const worst = [...kase.rows].sort(worstFirst)[0];
    const chosen = dtypes.includes(this.dtype) ? this.dtype : worst?.dtype ?? dtypes.at(-1);
    const answers = el("div", { class: "answers" });
    const snippet = el("code");
    const scripts = kase.scripts;
    // Of the worst answer, where its adapter is one of several ways to run PyTorch.
    const guilty = worst && worst.status !== "passed" ? worst.subject.adapter.split(" ")[0] : "";
    const shown = { dtype: chosen, script: scripts.has(guilty) ? guilty : "" };
    const write = () => {
      const first = `dtype = torch.${kase.dtypes[0]}\n`;
      const script = scripts.get(shown.script) ?? "";
      snippet.textContent = script.replace(first, `dtype = torch.${shown.dtype}\n`);
    };
    const show = (dtype) => {
      answers.replaceChildren(...answersOf(kase, dtype, this.links));
      shown.dtype = dtype;
      write();
    };
    const choose = (name) => {
      shown.script = name;
      write();
    };
    show(chosen);
    return [
      el("p", { class: "about" }, kase.about),
      facts(kase, this.glossary),
      el("h3", {}, "Question"),
      // Of a job the settings above say more than its data.
      kase.detail.job.length
        ? el("details", {}, el("summary", {}, "data and first parameters"), question(kase))
        : question(kase),
      el("h3", {}, "Truth and answers"),
      dtypes.length > 1 ? dtypeSwitch(dtypes, chosen, show) : null,
      answers,
      scripts.size ? el("h3", {}, "To reproduce it") : null,
      scripts.size > 1 ? scriptChoice([...scripts.keys()], shown.script, choose) : null,
      scripts.size ? el("div", { class: "snippet" }, copyButton("copy", () => snippet.textContent),
        el("pre", { tabindex: 0, "aria-label": "script" }, snippet)) : null,
    ].filter((part) => part !== null);
  }
}

/** Each word, opening to what it means, why it matters and where to read on. */
function explained(words, glossary) {
  return words.map((word) => {
    const found = glossary.get(word);
    if (!found) return el("span", {}, word, " ");
    const [means, matters, links] = found;
    return el("details", {}, el("summary", {}, word), el("p", {}, means, " ", matters),
      links.map(([text, href]) => el("p", {}, sourceLink(text, href))));
  });
}

function facts(kase, glossary) {
  const { asked, history, job, place, rounded } = kase.detail;
  const sources = kase.detail.sources.flatMap(([text, href], index) => [
    index ? ", " : "", sourceLink(text, href),
  ]);
  const asks = job.length ? [] : [["asks", `${kase.operation}, reduction ${kase.reduction}`]];
  const lines = [
    ...asks,
    ...job,
    ["dtypes", kase.dtypes.join(", ")],
    ["group", el("a", { href: "#group=" + encodeURIComponent(kase.group) }, kase.group)],
    ["file", place],
    ["flags", explained(kase.flags, glossary)],
    ["policies", explained(kase.policies, glossary)],
    ["rounded", rounded && `inputs are rounded once to ${rounded}, and exact from then on`],
    ["put", asked],
    ["source", sources],
    ["history", history],
  ].filter(([, value]) => value.length !== 0);
  return el("dl", { class: "facts" }, lines.map(([name, value]) =>
    [el("dt", {}, name), el("dd", {}, value)]));
}

/** A column an input, a row an element. */
function question(kase) {
  const count = Math.max(...kase.inputs.map(({ values }) => values.length));
  const heads = kase.inputs.map(({ name, shape }) => el("th", { scope: "col" },
    el("span", { class: "name" }, name), ` ${shapeText(shape)}`));
  const rows = Array.from({ length: count }, (_, index) => el("tr", {},
    kase.inputs.map(({ values }) => el("td", { class: "digits" }, index in values
      ? [inputText(values[index]), el("span", { class: "key" }, hexText(values[index]))] : []))));
  if (kase.inputs.some(({ size, values }) => values.length < size)) {
    rows.push(el("tr", {}, kase.inputs.map(({ size, values }) =>
      el("td", { class: "key" }, restText(values.length, size)))));
  }
  return wide(el("table", { class: "question" },
    el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows)));
}

/** As a case file writes it: "-40", and "-0.0", which YAML would read as an integer. */
function inputText(value) {
  const text = realText(value);
  return text === "-0.0" ? text : text.replace(/\.0$/, "");
}

function restText(shown, size) {
  if (shown === size) return "";
  return shown === 1 ? `the same in all ${size}` : `the first ${shown} of ${size}`;
}

function shapeText(shape) {
  return shape.length ? `[${shape.join(", ")}]` : "0-d";
}

function dtypeSwitch(dtypes, chosen, show) {
  return el("fieldset", { class: "switch" }, el("legend", { class: "hidden" }, "Dtype"),
    dtypes.map((dtype) => {
      const input = el("input", {
        type: "radio", name: "panel-dtype", value: dtype, checked: dtype === chosen,
      });
      input.addEventListener("change", () => show(dtype));
      return el("label", {}, input, el("span", {}, dtype));
    }));
}

function scriptChoice(names, chosen, choose) {
  const select = el("select", {}, names.map((name) =>
    el("option", { value: name, selected: name === chosen }, name || "torch")));
  select.addEventListener("change", () => choose(select.value));
  return el("p", {}, el("label", {}, "by ", select));
}

function copyButton(words, text) {
  const button = el("button", { type: "button", class: "quiet copy" }, words);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "copied";
    } catch {
      // A page may be refused the clipboard; what is selected can still be copied by hand.
      const shown = el("output", { class: "digits" }, text());
      button.replaceWith(shown);
      getSelection().selectAllChildren(shown);
    }
  });
  return button;
}
