// Binary cross-entropy in JavaScript, as a worker of bce-conformance: see docs/protocol.md.

'use strict';

const readline = require('node:readline');

const ADAPTER = {
  name: 'node',
  operations: ['bce_with_logits', 'bce'],
  outputs: ['loss', 'logits_grad', 'probabilities_grad', 'targets_grad'],
  options: ['weight', 'pos_weight', 'grad_output'],
  dtypes: ['float64'],
  versions: { node: process.versions.node, v8: process.versions.v8 },
};

/** The question has no answer, which is no fault of this program. */
class Refused extends Error {}

// Of an element: the loss for the weight 1, its slope by the first input, and that by the target.

/** The product, and its limit 0 where the coefficient is 0 and the value infinite. */
const times = (c, v) => (c === 0 && Math.abs(v) === Infinity ? 0 : c * v);
/** The quotient, and its limit 0 where both are 0. */
const ratio = (a, b) => (a === 0 && b === 0 ? 0 : a / b);
/** log(1 + exp z), without overflow. */
const softplus = (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
/** 1 / (1 + exp -z), with all digits in both tails. */
const logistic = (z) => (z >= 0 ? 1 : Math.exp(z)) / (1 + Math.exp(-Math.abs(z)));

function bceWithLogits(x, t, p) {
  const [up, down] = [softplus(x), softplus(-x)];
  // p down - up is also (p - 1) down - x: the form with the smaller terms keeps more digits.
  const shifted = times(Math.abs(p - 1), down) + Math.abs(x) <= times(p, down) + up;
  return [
    times(p * t, down) + times(1 - t, up),
    (1 - t) * logistic(x) - p * t * logistic(-x),
    shifted ? times(p - 1, down) - x : times(p, down) - up,
  ];
}

function bce(probability, t) {
  const q = probability + 0; // Of -0 it makes 0, and 1 / -0 has the wrong sign.
  if (!(q >= 0 && q <= 1)) throw new Refused(`${q} is no probability`);
  if (!(t >= 0 && t <= 1)) throw new Refused(`the target ${t} is not in [0, 1]`);
  const [logQ, log1Q] = [Math.log(q), Math.log1p(-q)];
  return [
    -times(t, logQ) - times(1 - t, log1Q),
    q > 0 && q < 1 ? (q - t) / (q * (1 - q)) : ratio(1 - t, 1 - q) - ratio(t, q),
    Math.abs(q - 0.5) <= 0.25 ? Math.log1p((1 - 2 * q) / q) : log1Q - logQ,
  ];
}

const FORMULAS = { bce_with_logits: ['logits', bceWithLogits], bce: ['probabilities', bce] };

// Arrays: a shape, and values in C order.

const sizeOf = (shape) => shape.reduce((product, size) => product * size, 1);

function decode({ shape, bits }) {
  const bytes = Buffer.from(bits, 'hex');
  const values = new Float64Array(sizeOf(shape)).map((_, i) => bytes.readDoubleLE(8 * i));
  return { shape, values };
}

function encode(shape, values) {
  const bytes = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => bytes.writeDoubleLE(value, 8 * i));
  return { dtype: 'float64', shape, bits: bytes.toString('hex') };
}

/** The values of an array, each as often as it takes to fill a shape by NumPy's rules. */
function broadcast({ shape, values }, full) {
  const padded = [...full.slice(shape.length).fill(1), ...shape];
  const fits = padded.every((size, axis) => size === 1 || size === full[axis]);
  if (!fits || shape.length > full.length) throw new Refused(`[${shape}] does not fit [${full}]`);
  return new Float64Array(sizeOf(full)).map((_, flat) => {
    let [left, index, step] = [flat, 0, 1];
    for (let axis = full.length - 1; axis >= 0; axis -= 1) {
      if (padded[axis] > 1) index += (left % full[axis]) * step;
      left = Math.floor(left / full[axis]);
      step *= padded[axis];
    }
    return values[index];
  });
}

/** The sum, halves first: its error grows with the logarithm of the number of values. */
function sum(values) {
  if (values.length <= 8) return values.reduce((total, value) => total + value, 0);
  const half = values.length >> 1;
  return sum(values.subarray(0, half)) + sum(values.subarray(half));
}

function mean(values) {
  const total = sum(values);
  // Divided last, large values overflow in the sum; divided first, small ones underflow.
  if (Math.abs(total) === Infinity) return sum(values.map((value) => value / values.length));
  return total / values.length;
}

function outputsOf({ operation, reduction, inputs, outputs }) {
  if (!['none', 'mean', 'sum'].includes(reduction)) throw new Refused(`no reduction ${reduction}`);
  const [first, formula] = FORMULAS[operation];
  const { shape } = inputs[first];
  if (`${inputs.targets.shape}` !== `${shape}`) {
    throw new Refused(`targets have shape [${inputs.targets.shape}], not [${shape}]`);
  }
  const one = encode([], [1]);
  const [x, t, p, weight, above] = [first, 'targets', 'pos_weight', 'weight', 'grad_output'].map(
    (name) => broadcast(decode(inputs[name] ?? one), shape),
  );
  const [loss, ...slopes] = [x, x, x].map((values) => new Float64Array(values.length));
  const parts = reduction === 'mean' ? x.length : 1;
  for (let i = 0; i < x.length; i += 1) {
    const [value, ...slope] = formula(x[i], t[i], p[i]);
    loss[i] = times(weight[i], value);
    for (const k of [0, 1]) slopes[k][i] = times(above[i], times(weight[i], slope[k])) / parts;
  }
  const total = { mean, sum }[reduction]?.(loss);
  const found = {
    loss: reduction === 'none' ? encode(shape, loss) : encode([], [total]),
    [`${first}_grad`]: encode(shape, slopes[0]),
    targets_grad: encode(shape, slopes[1]),
  };
  return Object.fromEntries(outputs.map((name) => [name, found[name]]));
}

// The protocol: a line of JSON comes, a line goes.

function answer(question) {
  try {
    return { id: question.id, outputs: outputsOf(question) };
  } catch (error) {
    if (!(error instanceof Refused)) return { id: question.id, broken: `${error}` };
    return { id: question.id, raised: { type: 'Refused', message: error.message } };
  }
}

function reply({ type, devices, id, questions }) {
  if (type === 'questions') return { type: 'answers', id, answers: questions.map(answer) };
  const known = Object.fromEntries((devices ?? []).map((device) => [device, {}]));
  return { type: 'started', protocol: 1, adapter: ADAPTER, devices: known };
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const message = JSON.parse(line);
  if (message.type === 'stop') process.exit(0);
  process.stdout.write(`${JSON.stringify(reply(message))}\n`);
});
