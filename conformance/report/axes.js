/* Scales and draws the axes of the plots, clamped and labelled at both ends. */

const LINEAR = 0.1; // Below this the axis of logits is linear, beyond it logarithmic.
const WIDEST = 1e3;
const FLOOR = 0.1;
const CEILING = 1e9;
const MARGIN = { left: 40, right: 10, top: 8, bottom: 20 };

/** What the axes of all plots have in common, so that they can be compared. */
function reachOf(panels) {
  let most = 10;
  let infinite = false;
  let untold = false;
  for (const { x, ulp } of panels.flatMap(({ spots }) => spots)) {
    if (Number.isFinite(x)) most = Math.max(most, Math.abs(x));
    else infinite = true;
    untold ||= ulp === null;
  }
  return {
    limit: Math.min(WIDEST, most * 1.05),
    // What is beyond the axis, or infinite, goes to a lane at either end.
    beyond: infinite || most > WIDEST,
    ends: most > WIDEST ? ["<−1e3", ">1e3"] : ["−∞", "∞"],
    untold,
  };
}

/** From a logit or an error to a place on the canvas; what has none goes to a lane beyond. */
function scaleOf({ limit, beyond, untold }, width, height) {
  const lane = beyond ? 20 : 4;
  const left = MARGIN.left + lane;
  const right = width - MARGIN.right - lane;
  const top = MARGIN.top + (untold ? 18 : 4);
  const bottom = height - MARGIN.bottom - 6;
  const middle = (left + right) / 2;
  const reach = Math.asinh(limit / LINEAR);
  const decades = Math.log10(CEILING / FLOOR);
  return {
    left, right, top, bottom, middle,
    x: (logit) => {
      if (logit < -limit) return left - lane + 6;
      if (logit > limit) return right + lane - 6;
      return middle + Math.asinh(logit / LINEAR) / reach * (right - middle);
    },
    y: (ulp) => {
      if (ulp === null) return MARGIN.top;
      const part = Math.log10(Math.min(CEILING, Math.max(FLOOR, ulp)) / FLOOR) / decades;
      return bottom - part * (bottom - top);
    },
  };
}

/** `ink` has the colours of texts and lines, and the font. */
function drawAxes(context, scale, reach, ink, height) {
  context.font = `10px ${ink.font}`;
  context.fillStyle = ink.text;
  context.strokeStyle = ink.line;
  context.lineWidth = 1;
  context.textBaseline = "middle";
  context.textAlign = "right";
  const levels = [[FLOOR, "≤0.1"], [1, "1"], [1e3, "1e3"], [1e6, "1e6"], [CEILING, "≥1e9"]];
  for (const [ulp, label] of levels) {
    const y = Math.round(scale.y(ulp)) + 0.5;
    strokeLine(context, [scale.left, y], [scale.right, y], 0.45);
    context.fillText(label, MARGIN.left - 4, y);
  }
  if (reach.untold) context.fillText("no ulp", MARGIN.left - 4, MARGIN.top);
  context.textAlign = "center";
  context.textBaseline = "top";
  const below = height - MARGIN.bottom + 4;
  const labelled = reach.beyond ? [scale.x(-Infinity), scale.x(Infinity)] : [];
  const ticks = [100, 10, 1].filter((tick) => tick < reach.limit);
  for (const tick of [0, ...ticks.flatMap((size) => [-size, size])]) {
    const x = Math.round(scale.x(tick)) + 0.5;
    strokeLine(context, [x, scale.top], [x, scale.bottom], tick === 0 ? 1 : 0.45);
    if (labelled.some((other) => Math.abs(other - x) < 36)) continue;
    labelled.push(x);
    context.fillText(String(tick).replace("-", "−"), x, below);
  }
  if (reach.beyond) {
    context.fillText(reach.ends[0], scale.x(-Infinity), below);
    context.fillText(reach.ends[1], scale.x(Infinity), below);
  }
}

function strokeLine(context, from, to, alpha) {
  context.globalAlpha = alpha;
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
  context.globalAlpha = 1;
}
