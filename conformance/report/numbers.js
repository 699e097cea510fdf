/* Writes the raw bits of an element as the shortest decimal that reads back to them. */

// Of each format the bits of the significand, the hidden one included, and the least exponent.
const BINARY = { float16: [11, -14], bfloat16: [8, -126], float32: [24, -126] };

/** As Python writes it: "0.1", "4.248354e-18", "-0.0", "nan", "True"; `bits` are a number or BigInt. */
function decimalText(bits, dtype) {
  if (dtype === "bool") return bits ? "True" : "False";
  if (dtype.startsWith("uint")) return String(bits);
  if (dtype.startsWith("int")) return String(BigInt.asIntN(Number(dtype.slice(3)), BigInt(bits)));
  return realText(realOf(bits, dtype), dtype);
}

function realOf(bits, dtype) {
  const view = new DataView(new ArrayBuffer(8));
  if (dtype === "float64") {
    view.setBigUint64(0, bits);
    return view.getFloat64(0);
  }
  if (dtype !== "float16") {
    view.setUint32(0, dtype === "bfloat16" ? bits * 65536 : bits);
    return view.getFloat32(0);
  }
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

function realText(value, dtype = "float64") {
  if (Number.isNaN(value)) return "nan";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const magnitude = Math.abs(value);
  if (magnitude === Infinity) return `${sign}inf`;
  if (magnitude === 0) return `${sign}0.0`;
  const [digits, exponent] = shortest(magnitude, dtype);
  return sign + spread(digits, exponent);
}

/** The fewest decimal digits that are rounded to `magnitude`, with the exponent of the first. */
function shortest(magnitude, dtype) {
  if (!(dtype in BINARY)) return parts(magnitude.toExponential());
  for (let count = 0; ; count += 1) {
    const text = toDigits(magnitude, count);
    if (roundTo(Number(text), dtype) === magnitude) return parts(text);
    // Below a power of two numbers lie closer: there the nearest decimal may miss, the next not.
    const [digits, exponent] = parts(text);
    const next = `${BigInt(digits.padEnd(count + 1, "0")) + 1n}e${exponent - count}`;
    if (roundTo(Number(next), dtype) === magnitude) return parts(Number(next).toExponential(count));
  }
}

/** `magnitude` to `count` digits after the first; of two decimals as near, the even one. */
function toDigits(magnitude, count) {
  const text = magnitude.toExponential(count);
  // The engine takes the larger of the two. Beyond a tie stands a 5, and nothing else.
  const rest = magnitude.toExponential(Math.min(100, count + 40)).split("e")[0].replace(".", "").slice(count + 1);
  if (!/^50*$/.test(rest)) return text;
  const [digits, exponent] = parts(text);
  const whole = BigInt(digits.padEnd(count + 1, "0"));
  return whole % 2n ? Number(`${whole - 1n}e${exponent - count}`).toExponential(count) : text;
}

function parts(text) {
  const [digits, exponent] = text.replace(".", "").split("e");
  return [digits.replace(/0+$/, ""), Number(exponent)];
}

/** `value` rounded to the nearest number of a format, ties to even (IEEE 754-2019, 4.3.1). */
function roundTo(value, dtype) {
  if (dtype === "float32") return Math.fround(value);
  const [precision, least] = BINARY[dtype];
  const unit = 2 ** (Math.max(binade(value), least) - precision + 1);
  // Beside 2**52 a float64 has no room for a fraction, and rounds it off.
  return (value / unit + 2 ** 52 - 2 ** 52) * unit;
}

/** The exponent of the power of two at or below a positive float64. */
function binade(value) {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return (view.getUint32(0) >> 20) - 1023;
}

/** Digits and the exponent of the first as Python writes them. */
function spread(digits, exponent) {
  if (exponent < -4 || exponent >= 16) {
    const rest = digits.length > 1 ? `.${digits.slice(1)}` : "";
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${digits[0]}${rest}e${exponent < 0 ? "-" : "+"}${size}`;
  }
  if (exponent < 0) return `0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return `${whole}.${digits.slice(exponent + 1) || "0"}`;
}

/** The raw bits, the highest first. */
function bitsText(bits, width) {
  return `0x${bits.toString(16).padStart(2 * width, "0")}`;
}

/** The shortest C99 hex float of a float64: "-0x1.8p-3", or "nan", "inf", "-inf". */
function hexText(value) {
  if (!Number.isFinite(value)) return realText(value);
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const sign = bits >> 63n ? "-" : "";
  const fraction = (bits & 0xfffffffffffffn).toString(16).padStart(13, "0").replace(/0+$/, "");
  const biased = Number((bits >> 52n) & 0x7ffn);
  if (biased === 0 && fraction === "") return `${sign}0x0p+0`;
  const exponent = (biased || 1) - 1023;
  const digits = `${biased ? 1 : 0}${fraction && `.${fraction}`}`;
  return `${sign}0x${digits}p${exponent < 0 ? "" : "+"}${exponent}`;
}
