/* Hands out the results that the table shows, all pages of them, as files. */

const CELLS = {
  case: (row) => row.case.id,
  adapter: (row) => row.subject.adapter,
  version: (row) => row.subject.version,
  device: (row) => row.subject.device,
  dtype: (row) => row.dtype,
  status: (row) => row.status,
  grade: (row) => row.grade,
  worst_output: (row) => row.worst,
  worst_ulp: (row) => row.ulp,
  message: (row) => row.note,
  raised: (row) => row.raised,
  declined: (row) => row.declined.join(" "),
  deviation: (row) => row.deviation,
};

/** RFC 4180: a header, lines that end in CRLF, quotes where a cell needs them. */
function csvOf(rows) {
  const lines = [Object.keys(CELLS), ...rows.map((row) => Object.values(CELLS).map((cell) => cell(row)))];
  return lines.map((cells) => `${cells.map(csvCell).join(",")}\r\n`);
}

/** A spreadsheet takes a text that begins like a formula for one: an apostrophe keeps it a text. */
function csvCell(value) {
  if (value === null) return "";
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The same with every output; errors have three significant digits, as they are shown. */
function jsonOf(rows, filters) {
  const head = `{"filters": ${JSON.stringify(Object.fromEntries(filters))}, "results": [\n`;
  const lines = rows.map((row, index) => `${JSON.stringify(record(row))}${index + 1 < rows.length ? "," : ""}\n`);
  return [head, ...lines, "]}\n"];
}

function record(row) {
  const found = Object.fromEntries(Object.entries(CELLS).map(([name, cell]) => [name, cell(row)]));
  const outputs = [...row.answers].map(([name, answer]) => [name, {
    grade: answer.grade,
    ulp: answer.ulp,
    policy: answer.policy || null,
    dtype: answer.dtype || null,
    shape: answer.shape,
    values: Array.from(answer.bits, (bits) => decimalText(bits, answer.dtype)),
  }]);
  return { ...found, declined: row.declined, outputs: Object.fromEntries(outputs) };
}

function startDownloads(table) {
  const kinds = {
    csv: ["text/csv", () => csvOf(table.matching())],
    json: ["application/json", () => jsonOf(table.matching(), table.filters())],
  };
  for (const [kind, [type, parts]] of Object.entries(kinds)) {
    document.getElementById(`download-${kind}`).addEventListener("click", () => {
      const href = URL.createObjectURL(new Blob(parts(), { type: `${type};charset=utf-8` }));
      el("a", { href, download: `bce-conformance-results.${kind}` }).click();
      // The browser has the file before the next minute.
      setTimeout(() => URL.revokeObjectURL(href), 60_000);
    });
  }
}
