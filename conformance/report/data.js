"use strict";

/* Unpacks the payload, as columns.py and payload.py tell, into subjects, cases and rows. */

const INTEGERS = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array };

async function unpack() {
  const packed = atob(document.getElementById("payload").textContent);
  const bytes = new Uint8Array(packed.length);
  for (let at = 0; at < packed.length; at += 1) bytes[at] = packed.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Report(new Uint8Array(await new Response(stream).arrayBuffer()));
}

/** Columns of natural numbers; each is put together from its byte planes when first asked for. */
class Columns {
  constructor(bytes, listed, at) {
    this.bytes = bytes;
    this.places = new Map();
    this.known = new Map();
    for (const [name, width, length] of listed) {
      this.places.set(name, { width, length, at });
      at += width * length;
    }
  }

  get(name) {
    if (!this.known.has(name)) this.known.set(name, this.join(this.places.get(name)));
    return this.known.get(name);
  }

  // Every machine that runs a browser keeps the lowest byte first, as the file does.
  join({ width, length, at }) {
    const joined = new Uint8Array(width * length);
    for (let plane = 0; plane < width; plane += 1) {
      for (let index = 0; index < length; index += 1) {
        joined[index * width + plane] = this.bytes[at + plane * length + index];
      }
    }
    return new INTEGERS[width](joined.buffer);
  }

  /** Where what belongs to each row begins, in the column whose rows "name" counts. */
  starts(name) {
    const key = `starts of ${name}`;
    if (!this.known.has(key)) this.known.set(key, sums(this.get(name)));
    return this.known.get(key);
  }
}

function sums(counts) {
  const found = new Uint32Array(counts.length + 1);
  for (let index = 0; index < counts.length; index += 1) found[index + 1] = found[index] + counts[index];
  return found;
}

class Report {
  constructor(bytes) {
    const length = new DataView(bytes.buffer).getUint32(0, true);
    this.head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    this.columns = new Columns(bytes, this.head.columns, 4 + length);
    this.matrix = this.head.matrix;
    this.trainers = this.head.trainers;
    this.links = new Map(Object.entries(this.head.links));
    this.glossary = new Map(Object.entries(this.head.glossary));
    this.subjects = this.head.subjects.map(([adapter, device, version], index) => ({
      adapter, device, version, index, framework: adapter.split(/[: ]/)[0], way: adapter.split(":")[1],
    }));
    this.cases = this.head.id.map((_, index) => new Case(this, index));
    this.answers = [];
    this.sheets = [];
    this.rows = this.readRows();
    for (const kase of this.cases) markDifferences(kase.rows);
  }

  readRows() {
    const { columns, head: { texts, lists, numbers } } = this;
    const names = ["subject", "case", "dtype", "status", "grade", "mark", "note", "raised",
      "deviation", "declined", "sheet"];
    const [subject, kase, dtype, status, grade, mark, note, raised, deviation, declined, sheet] =
      names.map((name) => columns.get(`results.${name}`));
    const worst = columns.get("sheets.worst");
    const starts = columns.starts("sheets.count");
    const [output, answer] = ["given.output", "given.answer"].map((name) => columns.get(name));
    const ulp = columns.get("answers.ulp");
    return Array.from(sheet, (number, index) => {
      const at = worst[number] ? starts[number] + worst[number] - 1 : -1;
      const row = new Row(this, {
        index,
        sheet: number,
        subject: this.subjects[subject[index]],
        case: this.cases[kase[index]],
        dtype: texts[dtype[index]],
        status: texts[status[index]],
        grade: texts[grade[index]],
        mark: texts[mark[index]],
        note: texts[note[index]],
        raised: texts[raised[index]],
        deviation: texts[deviation[index]],
        declined: lists[declined[index]],
        worst: at < 0 ? "" : this.head.outputs[output[at]],
        ulp: at < 0 ? null : numbers[ulp[answer[at]]],
      });
      row.case.rows.push(row);
      return row;
    });
  }

  /** The answers of a sheet by the names of their outputs; equal answers are one object. */
  sheet(number) {
    this.sheets[number] ??= this.readSheet(number);
    return this.sheets[number];
  }

  readSheet(number) {
    const { columns, head: { outputs } } = this;
    const starts = columns.starts("sheets.count");
    const [output, answer] = ["given.output", "given.answer"].map((name) => columns.get(name));
    const found = new Map();
    for (let at = starts[number]; at < starts[number + 1]; at += 1) {
      this.answers[answer[at]] ??= new Answer(this, answer[at]);
      found.set(outputs[output[at]], this.answers[answer[at]]);
    }
    return found;
  }

  /** Where the bits of each answer begin, in the column of their width. */
  get bitStarts() {
    if (!this.knownBitStarts) {
      const shown = this.columns.get("answers.shown");
      const dtype = this.columns.get("answers.dtype");
      const next = { 1: 0, 2: 0, 4: 0, 8: 0 };
      this.knownBitStarts = Uint32Array.from(shown, (count, index) => {
        const width = this.width(this.head.texts[dtype[index]]);
        next[width] += count;
        return next[width] - count;
      });
    }
    return this.knownBitStarts;
  }

  width(dtype) {
    return this.head.widths[dtype] ?? 1;
  }
}

/** One result. */
class Row {
  constructor(report, facts) {
    this.report = report;
    Object.assign(this, facts);
  }

  get answers() {
    return this.report.sheet(this.sheet);
  }
}

/** One distinct answer to one output. */
class Answer {
  constructor(report, index) {
    const { columns, head: { texts, lists, numbers } } = report;
    const at = (name) => columns.get(`answers.${name}`)[index];
    this.grade = texts[at("grade")];
    this.ulp = numbers[at("ulp")];
    this.ratio = numbers[at("ratio")];
    this.policy = texts[at("policy")];
    this.dtype = texts[at("dtype")];
    this.shape = lists[at("shape")];
    this.message = texts[at("message")];
    this.kept = texts[at("kept")];
    const errors = at("errors");
    const starts = report.columns.known.get("starts of ulps") ?? errorStarts(report.columns);
    this.ulps = errors === 0 ? [this.ulp]
      : Array.from(columns.get("ulps").subarray(starts[index], starts[index + 1]), (place) => numbers[place]);
    const width = report.width(this.dtype);
    const start = report.bitStarts[index];
    // Numbers, or of eight bytes BigInts.
    this.bits = columns.get(`bits${width}`).subarray(start, start + at("shown"));
    this.width = width;
  }
}

function errorStarts(columns) {
  const counts = columns.get("answers.errors").map((errors) => Math.max(0, errors - 1));
  columns.known.set("starts of ulps", sums(counts));
  return columns.known.get("starts of ulps");
}

/** One case; what only its page shows is read when that is opened. */
class Case {
  constructor(report, index) {
    const { columns, head: { id, about, texts, lists } } = report;
    const at = (name) => columns.get(`cases.${name}`)[index];
    Object.assign(this, { report, index, id: id[index], about: about[index], rows: [] });
    this.group = texts[at("group")];
    this.operation = texts[at("operation")];
    this.reduction = texts[at("reduction")];
    this.dtypes = lists[at("dtypes")];
    this.flags = lists[at("flags")];
    this.policies = lists[at("policies")];
  }

  get detail() {
    const starts = this.report.columns.starts("cases.detail");
    const line = this.report.columns.get("details").subarray(starts[this.index], starts[this.index + 1]);
    this.knownDetail ??= JSON.parse(new TextDecoder().decode(line));
    return this.knownDetail;
  }

  /** Name, shape, size and the first values of each input. */
  get inputs() {
    this.knownInputs ??= this.readInputs();
    return this.knownInputs;
  }

  readInputs() {
    const { columns, head: { texts, lists } } = this.report;
    const starts = columns.starts("cases.inputs");
    const valueStarts = columns.starts("inputs.shown");
    const values = new Float64Array(columns.get("values").buffer);
    const found = [];
    for (let at = starts[this.index]; at < starts[this.index + 1]; at += 1) {
      const shape = lists[columns.get("inputs.shape")[at]];
      found.push({
        name: texts[columns.get("inputs.name")[at]],
        shape,
        size: shape.reduce((one, other) => one * other, 1),
        values: values.subarray(valueStarts[at], valueStarts[at + 1]),
      });
    }
    return found;
  }

  /** The script that asks the question again, its gaps filled with the case's own texts. */
  get snippet() {
    const { columns, head: { texts } } = this.report;
    const own = [
      this.id,
      ...this.inputs.flatMap(({ values }) => Array.from(values, hexText)),
      ...this.detail.truth.flatMap(([, outputs]) => outputs.flatMap(([, , , digits]) => digits)),
    ];
    const script = texts[columns.get("cases.snippet")[this.index]];
    return script.replace(/\0(\d+)\0/g, (_, number) => own[number]);
  }

  /** Adapter to script: the plain one under "", then those of the ways that answered. */
  get scripts() {
    const { columns, head: { texts } } = this.report;
    const plain = this.snippet;
    const scripts = new Map(plain ? [["", plain]] : []);
    const ways = JSON.parse(texts[columns.get("cases.ways")[this.index]] || "{}");
    const answered = new Set(this.rows.filter(({ status }) => status !== "not_run")
      .map(({ subject }) => subject.adapter.split(" ")[0]));
    for (const [name, changes] of Object.entries(ways)) {
      if (!answered.has(name)) continue;
      scripts.set(name, changes.reduce((script, [old, now]) => script.replaceAll(old, () => now), plain));
    }
    return scripts;
  }
}

/** A row differs if another subject got another grade in the same dtype. */
function markDifferences(rows) {
  const grades = new Map();
  for (const row of rows) {
    if (!row.grade) continue;
    if (!grades.has(row.dtype)) grades.set(row.dtype, new Set());
    grades.get(row.dtype).add(row.grade);
  }
  for (const row of rows) row.differs = (grades.get(row.dtype)?.size ?? 0) > 1;
}
