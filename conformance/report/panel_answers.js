/* The tables of a case: who passed, then of each output the truth beside every answer. */

function answersOf(kase, dtype, links) {
  const rows = kase.rows.filter((row) => row.dtype === dtype);
  const { job, raises, truth } = kase.detail;
  const parts = [statuses(rows, links), ...differences(rows)];
  if (raises) {
    const words = raises === 2 ? "The right answer is an error." : "An error is a right answer, too.";
    parts.push(el("p", {}, words));
  }
  const names = new Set(truth.flatMap(([, outputs]) => outputs.map(([name]) => name)));
  for (const row of rows) for (const name of row.answers.keys()) names.add(name);
  for (const name of names) {
    const table = outputTable(kase, rows, name);
    // A trajectory is long, and what it comes to stands above.
    parts.push(job.length
      ? el("details", { open: names.size === 1 }, el("summary", {}, name), table) : table);
  }
  return parts;
}

function statuses(rows, links) {
  if (rows.length === 0) return el("p", { class: "note" }, "No result in this dtype.");
  const isJob = rows[0].case.detail.job.length > 0;
  const lines = [...alike(rows)].map((same) => {
    const [row] = same;
    const why = [same.length > 1 ? bare(row) : row.note];
    if (row.raised && row.raised !== row.note) why.push(el("span", { class: "key" }, ` ${row.raised}`));
    if (row.declined.length) why.push(` Does not offer ${row.declined.join(", ")}.`);
    if (row.deviation) why.push(" ", sourceLink(row.deviation, links.get(row.deviation)));
    return el("tr", {},
      el("th", { scope: "row" }, who(same, rows)),
      el("td", {}, el("span", { class: `status ${row.status}` }, STATUS_WORDS[row.status])),
      el("td", { class: "grade" }, el("b", {}, row.mark), " ", row.grade),
      isJob ? trainerCells(row) : null,
      el("td", { class: "message" }, why));
  });
  const heads = ["subject", "status", "grade", ...(isJob ? ["policy", "error / allowed"] : []), "message"];
  return wide(el("table", { class: "statuses" },
    el("thead", { class: isJob ? null : "hidden" }, el("tr", {},
      heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, lines)));
}

/** Ways to run one framework of which the same is told in one line; every other result by itself. */
function alike(rows) {
  const found = new Map();
  for (const row of rows) {
    const { framework, device } = row.subject;
    const told = [framework, device, row.status, row.mark, row.sheet, bare(row), row.raised, row.deviation];
    const key = rows.some(({ subject }) => subject.way && subject.framework === framework)
      ? JSON.stringify([...told, row.declined]) : row;
    found.set(key, [...found.get(key) ?? [], row]);
  }
  return found.values();
}

/** The note of a result without the name that it may begin with. */
function bare({ note, subject }) {
  return note.startsWith(`${subject.adapter} `) ? note.slice(subject.adapter.length + 1) : note;
}

/** Who gives which grade, where not all give the same; else whether all give the same bits. */
function differences(rows) {
  const run = rows.filter((row) => row.grade);
  if (run.length < 2) return [];
  const byGrade = new Map();
  for (const row of run) byGrade.set(row.grade, [...byGrade.get(row.grade) ?? [], row]);
  if (byGrade.size > 1) {
    const parts = [...byGrade].sort(([one], [other]) => byPlace(GRADE_ORDER)(other, one));
    return [el("p", { class: "differ" }, "The grades differ: ", parts.map(([grade, same], index) => [
      index ? "; " : "", el("b", {}, grade), " ", who(same, run),
    ]), ".")];
  }
  // Of what came to nothing, such as a crash, only the words can differ.
  const distinct = new Set(run.map((row) => row.answers.size || row.raised ? row.sheet : bare(row))).size;
  const words = distinct === 1 ? `All ${run.length} gave the same answer.`
    : `The ${run.length} gave ${distinct} different answers of the same grade.`;
  return [el("p", { class: "note" }, words)];
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

const MANY_WAYS = 3; // As in names.py.
const FEW_WAYS = 3;

/** Names those who gave `rows` among `everybody`, many ways to run one framework as one. */
function who(rows, everybody) {
  const names = [];
  for (const [{ subject }, mine] of byPlaceOf(rows)) {
    const peers = everybody.filter((row) => isBeside(row.subject, subject));
    const missing = peers.filter((row) => !mine.includes(row)).map((row) => row.subject.way || "the plain form");
    const isMost = missing.length <= FEW_WAYS && 2 * missing.length <= mine.length;
    if (mine.length < MANY_WAYS || !isMost) names.push(...mine.map((row) => [row.subject.adapter, subject.device]));
    else names.push([`all ways of ${subject.framework}${missing.length ? ` (but ${missing.join(", ")})` : ""}`, subject.device]);
  }
  return names.map(([name, device], index) => [
    index ? ", " : "", name, el("span", { class: "key" }, ` ${device}`),
  ]).flat();
}

function isBeside(one, other) {
  return one.framework === other.framework && one.version === other.version && one.device === other.device;
}

/** The rows of each framework, version and device, by the first of them. */
function byPlaceOf(rows) {
  const found = new Map();
  for (const row of rows) {
    const first = [...found.keys()].find((known) => isBeside(known.subject, row.subject)) ?? row;
    found.set(first, [...found.get(first) ?? [], row]);
  }
  return found;
}

/** Per element: the truth under each policy, then each distinct answer with all who gave it. */
function outputTable(kase, rows, name) {
  const truths = kase.detail.truth.flatMap(([policy, outputs]) =>
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
      body.push(answerLine(answer, givenBy, rows, index, truth));
    }
  }
  const heads = [name, "value", "bits", "ulp", "grade", "policy"];
  // Most cases leave no room for a policy.
  if (![...truths, ...givers.keys()].some(({ policy }) => policy)) {
    heads.pop();
    for (const line of body) line.lastElementChild.remove();
  }
  const size = Math.max(count, ...truths.map((truth) => truth.size));
  if (size > count) {
    body.push(el("tr", {}, el("td", { colspan: heads.length, class: "key" }, `the first ${count} of ${size}`)));
  }
  return wide(el("table", { class: "output" },
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
      el("td", { class: empty ? null : "digits", colspan: 2 }, empty ? "no elements" : text),
      el("td"), el("td"), el("td", {}, names.join(", ")));
  });
}

function answerLine(answer, rows, everybody, index, truth) {
  const single = answer.ulps.length === 1 || (truth?.digits.length ?? 1) === 1;
  const { bits } = answer;
  const at = bits.length === 1 ? 0 : index;
  const ulp = answer.ulps.length ? answer.ulps[index] : (index === 0 ? answer.ulp : null);
  const shape = answer.shape && truth && answer.shape.join() !== truth.shape.join()
    ? ` shape ${shapeText(answer.shape)}` : "";
  // Of another dtype than the question's, as of a mixed one, the dtype tells how to read the bits.
  const dtype = answer.dtype && answer.dtype !== rows[0].dtype ? ` ${answer.dtype}` : "";
  const kept = index === 0 && answer.kept ? answer.kept : "";
  return el("tr", {},
    el("th", { scope: "row" }, who(rows, everybody)),
    el("td", { class: "digits" }, at in bits ? decimalText(bits[at], answer.dtype) : (bits.length ? "" : "not kept"),
      el("span", { class: "key" }, shape, dtype)),
    el("td", { class: "digits bits" }, at in bits ? bitsText(bits[at], answer.width) : kept),
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
