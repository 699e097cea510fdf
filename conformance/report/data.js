"use strict";

/* Unpacks the payload into subjects, cases and rows. */

async function unpack() {
  const packed = atob(document.getElementById("payload").textContent);
  const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return arrange(JSON.parse(await new Response(stream).text()));
}

/** One object an element of a table's columns, each column's number made its text where named. */
function zip(columns, texts, named) {
  const names = Object.keys(columns);
  return columns[names[0]].map((_, index) => {
    const row = {};
    for (const name of names) {
      const value = columns[name][index];
      row[name] = named.includes(name) ? textOf(value, texts) : value;
    }
    return row;
  });
}

function textOf(value, texts) {
  return Array.isArray(value) ? value.map((number) => texts[number]) : texts[value];
}

function arrange(data) {
  const texts = data.texts;
  const subjects = data.subjects.map(([adapter, device, version], index) => ({
    adapter, device, version, index,
  }));
  const cases = zip(data.cases, texts, [
    "group", "operation", "reduction", "dtypes", "flags", "policies", "rounded", "asked",
  ]);
  const answers = data.answers[0].map((_, index) => {
    const [grade, ulp, policy, ulps, values, dtype, shape, message, ratio] =
      data.answers.map((column) => column[index]);
    return {
      grade: texts[grade], ulp, policy: texts[policy], ulps: ulps ?? [ulp], values,
      dtype: texts[dtype], shape, message: texts[message], ratio,
    };
  });
  const rows = zip(data.results, texts, [
    "dtype", "status", "grade", "mark", "note", "raised", "deviation",
  ]);
  for (const kase of cases) {
    [kase.inputs, kase.truth, kase.snippet] = kase.detail;
    kase.rows = [];
  }
  for (const row of rows) {
    row.subject = subjects[row.subject];
    row.case = cases[row.case];
    row.worst = row.worst < 0 ? "" : data.outputs[row.worst];
    row.answers = new Map(row.answers.map(([name, at]) => [data.outputs[name], answers[at]]));
    row.ulp = row.answers.get(row.worst)?.ulp ?? null;
    row.case.rows.push(row);
  }
  for (const kase of cases) markDifferences(kase.rows);
  const links = new Map(Object.entries(data.links));
  const glossary = new Map(Object.entries(data.glossary));
  return { subjects, cases, rows, links, glossary, matrix: data.matrix, trainers: data.trainers };
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
