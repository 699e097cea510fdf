/* Finds the spots of the plots: an element of an answer, with all results that gave it. */

const PLOTTED = [["loss", "loss"], ["logits_grad", "gradient"]];

/** What is plotted: one entry for each output and dtype that has any spot. */
function plotted(report) {
  const dtypes = [...new Set(report.rows.map((row) => row.dtype))].sort(byPlace(DTYPE_ORDER));
  return PLOTTED.flatMap(([output, label]) => dtypes
    .map((dtype) => ({ label, dtype, spots: spotsOf(report, output, dtype) }))
    .filter(({ spots }) => spots.length > 0));
}

/** Sorted by logit: {case, element, x, target, ulp, rows}. */
function spotsOf(report, output, dtype) {
  const spots = [];
  for (const kase of report.cases) {
    if (kase.operation !== "bce_with_logits") continue;
    const logits = valuesOf(kase, "logits");
    if (logits === null) continue;
    const targets = valuesOf(kase, "targets");
    const known = Array.from(logits, () => []);
    for (const row of kase.rows) {
      const answer = row.dtype === dtype && row.answers.get(output);
      if (!answer || answer.ulps.length !== logits.length) continue;
      answer.ulps.forEach((ulp, element) => {
        const alike = known[element].find((spot) => spot.ulp === ulp);
        if (alike) alike.rows.push(row);
        else known[element].push({ case: kase, element, x: logits[element], ulp, rows: [row] });
      });
    }
    for (const spot of known.flat()) {
      if (Number.isNaN(spot.x)) continue;
      spot.target = targets?.length === logits.length ? targets[spot.element] : NaN;
      spots.push(spot);
    }
  }
  return spots.sort((one, other) => one.x - other.x || (one.ulp ?? Infinity) - (other.ulp ?? Infinity));
}

/** Null for an array that is described, or too long to be shown whole. */
function valuesOf(kase, name) {
  const found = kase.inputs.find((input) => input.name === name);
  return found && found.size === found.values.length ? found.values : null;
}

function targetKind(target) {
  if (target === 0 || target === 1) return String(target);
  return target > 0 && target < 1 ? "between" : "";
}

/** What a spot is in words: where it lies, how far it is off, whose of `rows` it is. */
function spotTexts({ case: { id }, x, target, ulp }, rows) {
  const names = rows.map(({ subject }) => `${subject.adapter} ${subject.device}`);
  return [
    id,
    `logit ${inputText(x)}${Number.isNaN(target) ? "" : `, target ${inputText(target)}`}`,
    `${ulp === null ? "no distance in ulp" : `${ulpText(ulp)} ulp`}: ${names.join(", ")}`,
  ];
}
