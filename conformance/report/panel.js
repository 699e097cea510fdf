/* The case that the address names: its question, its truth, every answer. */

class CasePanel {
  constructor(report, onClose) {
    this.cases = new Map(report.cases.map((kase) => [kase.id, kase]));
    this.links = report.links;
    this.glossary = report.glossary;
    this.dialog = document.getElementById("panel");
    this.dtype = "";
    this.dialog.addEventListener("close", onClose);
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.close();
    });
  }

  open(id) {
    const kase = this.cases.get(id);
    const close = el("button", { type: "button", class: "quiet close" }, "close");
    close.addEventListener("click", () => this.close());
    this.dialog.replaceChildren(
      el("header", {}, el("h2", { id: "panel-id" }, breakable(id)), close),
      ...(kase ? this.content(kase) : [el("p", {}, "No case of this report has this id.")]),
    );
    this.dtype = "";
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.scrollTop = 0;
  }

  close() {
    if (this.dialog.open) this.dialog.close();
  }

  content(kase) {
    const dtypes = [...new Set([...kase.dtypes, ...kase.rows.map((row) => row.dtype)])];
    dtypes.sort(byPlace(DTYPE_ORDER));
    const worst = [...kase.rows].sort(worstFirst)[0];
    const chosen = dtypes.includes(this.dtype) ? this.dtype : worst?.dtype ?? dtypes.at(-1);
    const answers = el("div", { class: "answers" });
    const snippet = el("code");
    const show = (dtype) => {
      answers.replaceChildren(...answersOf(kase, dtype, this.links));
      const first = `dtype = torch.${kase.dtypes[0]}\n`;
      snippet.textContent = kase.snippet.replace(first, `dtype = torch.${dtype}\n`);
    };
    show(chosen);
    return [
      el("p", { class: "about" }, kase.about),
      facts(kase, this.glossary),
      el("h3", {}, "Question"),
      // Of a job the settings above say more than its data.
      kase.job.length ? el("details", {}, el("summary", {}, "data and first parameters"), question(kase))
        : question(kase),
      el("h3", {}, "Truth and answers"),
      dtypes.length > 1 ? dtypeSwitch(dtypes, chosen, show) : null,
      answers,
      kase.snippet ? el("h3", {}, "To see it again") : null,
      kase.snippet ? el("div", { class: "snippet" }, copyButton(snippet), el("pre", {}, snippet)) : null,
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
  const sources = kase.sources.flatMap(([text, href], index) => [
    index ? ", " : "", sourceLink(text, href),
  ]);
  const asks = kase.job.length ? [] : [["asks", `${kase.operation}, reduction ${kase.reduction}`]];
  const lines = [
    ...asks,
    ...kase.job,
    ["dtypes", kase.dtypes.join(", ")],
    ["group", el("a", { href: "#group=" + encodeURIComponent(kase.group) }, kase.group)],
    ["file", kase.place],
    ["flags", explained(kase.flags, glossary)],
    ["policies", explained(kase.policies, glossary)],
    ["rounded", kase.rounded && `inputs are rounded once to ${kase.rounded}, and exact from then on`],
    ["put", kase.asked],
    ["source", sources],
    ["history", kase.history],
  ].filter(([, value]) => value.length !== 0);
  return el("dl", { class: "facts" }, lines.map(([name, value]) =>
    [el("dt", {}, name), el("dd", {}, value)]));
}

/** A column an input, a row an element. */
function question(kase) {
  const count = Math.max(...kase.inputs.map((input) => input[3].length));
  const heads = kase.inputs.map(([name, shape]) => el("th", { scope: "col" },
    el("span", { class: "name" }, name), ` ${shapeText(shape)}`));
  const rows = Array.from({ length: count }, (_, index) => el("tr", {},
    kase.inputs.map(([, , , decimals, hexes]) => el("td", { class: "digits" }, index in decimals
      ? [decimals[index], el("span", { class: "key" }, hexes[index])] : []))));
  if (kase.inputs.some(([, , size, decimals]) => decimals.length < size)) {
    rows.push(el("tr", {}, kase.inputs.map(([, , size, decimals]) =>
      el("td", { class: "key" }, restText(decimals.length, size)))));
  }
  return el("div", { class: "wide" }, el("table", { class: "question" },
    el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows)));
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

/** One table of statuses, then one table an output. */
function answersOf(kase, dtype, links) {
  const rows = kase.rows.filter((row) => row.dtype === dtype);
  const parts = [statuses(rows, links)];
  if (kase.raises) {
    const words = kase.raises === 2 ? "The right answer is an error." : "An error is a right answer, too.";
    parts.push(el("p", {}, words));
  }
  const names = new Set(kase.truth.flatMap(([, outputs]) => outputs.map(([name]) => name)));
  for (const row of rows) for (const name of row.answers.keys()) names.add(name);
  for (const name of names) {
    const table = outputTable(kase, rows, name);
    // A trajectory is long, and what it comes to stands above.
    parts.push(kase.job.length
      ? el("details", { open: names.size === 1 }, el("summary", {}, name), table) : table);
  }
  return parts;
}

function statuses(rows, links) {
  if (rows.length === 0) return el("p", { class: "note" }, "No result in this dtype.");
  const lines = rows.map((row) => {
    const why = [row.note];
    if (row.raised && row.raised !== row.note) why.push(el("span", { class: "key" }, ` ${row.raised}`));
    if (row.deviation) why.push(" ", sourceLink(row.deviation, links.get(row.deviation)));
    return el("tr", {},
      el("th", { scope: "row" }, who([row])),
      el("td", {}, el("span", { class: `status ${row.status}` }, STATUS_WORDS[row.status])),
      el("td", { class: "grade" }, el("b", {}, row.mark), " ", row.grade),
      row.case.job.length ? trainerCells(row) : null,
      el("td", { class: "message" }, why));
  });
  const heads = ["", "", "grade", "policy", "error / allowed", ""];
  return el("div", { class: "wide" }, el("table", { class: "statuses" },
    rows[0].case.job.length ? el("thead", {}, el("tr", {},
      heads.map((head) => el("th", { scope: "col" }, head)))) : null,
    el("tbody", {}, lines)));
}

/** The policy that a trainer follows, and its largest error over the largest allowed. */
function trainerCells(row) {
  const answers = [...row.answers.values()];
  const policies = new Set(answers.map(({ policy }) => policy).filter(Boolean));
  const nearest = row.grade === "wrong" && policies.size ? "none; nearest " : "";
  const told = answers.map(({ ratio }) => ratio).filter((ratio) => ratio !== null);
  const most = told.length ? ulpText(Math.max(...told)) : "";
  return [el("td", {}, nearest, [...policies].join(", ")), el("td", { class: "ulp" }, most)];
}

function who(rows) {
  return rows.map((row, index) => [
    index ? ", " : "", row.subject.adapter, el("span", { class: "key" }, ` ${row.subject.device}`),
  ]).flat();
}

/** Per element: the truth under each policy, then each distinct answer with all who gave it. */
function outputTable(kase, rows, name) {
  const truths = kase.truth.flatMap(([policy, outputs]) =>
    outputs.filter(([output]) => output === name).map(([, shape, positions, digits, size]) =>
      ({ policy, shape, positions, digits, size })));
  const givers = new Map();
  for (const row of rows) {
    const answer = row.answers.get(name);
    if (!answer) continue;
    if (!givers.has(answer)) givers.set(answer, []);
    givers.get(answer).push(row);
  }
  const count = Math.max(1, ...truths.map((truth) => truth.digits.length));
  const body = [];
  for (let index = 0; index < count; index += 1) {
    body.push(...truthLines(truths, index));
    for (const [answer, givenBy] of givers) {
      const truth = truths.find(({ policy }) => policy === answer.policy) ?? truths[0];
      body.push(answerLine(answer, givenBy, index, truth));
    }
  }
  const size = Math.max(count, ...truths.map((truth) => truth.size));
  if (size > count) {
    body.push(el("tr", {}, el("td", { colspan: 5, class: "key" }, `the first ${count} of ${size}`)));
  }
  const heads = [name, "value", "ulp", "grade", "policy"];
  return el("div", { class: "wide" }, el("table", { class: "output" },
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col", class: head === "ulp" && "ulp" }, head)))),
    el("tbody", {}, body)));
}

/** A line for each distinct truth, with all the policies under which it is the truth. */
function truthLines(truths, index) {
  const policies = new Map();
  for (const { policy, digits } of truths) {
    const text = digits[index] ?? "none";
    policies.set(text, [...policies.get(text) ?? [], policy].filter(Boolean));
  }
  return [...policies].map(([text, names]) => {
    const { shape, positions } = truths.find(({ digits }) => index in digits) ?? truths[0];
    const at = positions ? positions[index] : index;
    const empty = shape.includes(0);
    return el("tr", { class: "truth" },
      el("th", { scope: "row" }, shape.length && !empty ? `truth [${place(at, shape)}]` : "truth"),
      el("td", empty ? {} : { class: "digits" }, empty ? "no elements" : text),
      el("td"), el("td"), el("td", {}, names.join(", ")));
  });
}

function answerLine(answer, rows, index, truth) {
  const single = answer.ulps.length === 1 || (truth?.digits.length ?? 1) === 1;
  const value = answer.values?.[answer.values.length === 1 ? 0 : index];
  const ulp = answer.ulps.length ? answer.ulps[index] : (index === 0 ? answer.ulp : null);
  const shape = answer.shape && truth && answer.shape.join() !== truth.shape.join()
    ? ` shape ${shapeText(answer.shape)}` : "";
  return el("tr", {},
    el("th", { scope: "row" }, who(rows)),
    el("td", { class: "digits" }, value ?? (answer.values ? "" : "not kept"),
      el("span", { class: "key" }, shape)),
    el("td", { class: "ulp" }, ulp === undefined ? "" : ulpText(ulp)),
    el("td", {}, single || index === 0 ? answer.grade : ""),
    el("td", {}, answer.policy));
}

/** A flat position in C order as the indices of `shape`. */
function place(flat, shape) {
  const indices = [];
  for (const size of [...shape].reverse()) {
    indices.unshift(flat % size);
    flat = Math.floor(flat / size);
  }
  return indices.join(", ");
}

function copyButton(source) {
  const button = el("button", { type: "button", class: "quiet" }, "copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "copied";
    } catch {
      // A page may be refused the clipboard; the selected text can still be copied by hand.
      getSelection().selectAllChildren(source);
    }
  });
  return button;
}
