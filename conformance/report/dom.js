/* Builds elements and texts. Whatever comes from a run or a case becomes text, never markup. */

function el(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null));
  return element;
}

/** What is wider than its place scrolls, and is reached by the keyboard just as long as it does. */
const wideWatcher = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const scrolls = target.scrollWidth > target.clientWidth;
    if (!scrolls) {
      for (const name of ["tabindex", "role", "aria-label"]) target.removeAttribute(name);
      continue;
    }
    const heading = target.closest("section, dialog")?.querySelector("h2")?.textContent;
    const name = target.querySelector("caption")?.textContent ?? heading ?? "";
    target.setAttribute("tabindex", 0);
    target.setAttribute("role", "group");
    target.setAttribute("aria-label", `${name}, scrolls sideways`);
  }
});

function wide(table) {
  const found = el("div", { class: "wide" }, table);
  wideWatcher.observe(found);
  return found;
}

/** The address of a case within the page: free of filters, so that it can be handed on. */
function caseHref(id) {
  return "#case=" + encodeURIComponent(id).replaceAll("%2F", "/");
}

/** An id that may wrap after its slashes and underscores, and is still copied as it is. */
function breakable(id) {
  return id.split(/(?<=[/_])/).flatMap((part, index) => (index ? [el("wbr"), part] : [part]));
}

/** A link only for an https address: no text of a run can become a script's. */
function sourceLink(text, href) {
  if (!href?.startsWith("https://")) return el("span", {}, text);
  return el("a", { href, rel: "noopener" }, text.replace("https://github.com/", ""));
}

/** At most six characters: "0", "<0.01", "0.52", "37", "1.7e7". */
function ulpText(ulp) {
  if (ulp === null) return "";
  if (ulp === 0) return "0";
  if (ulp > 0 && ulp < 0.005) return "<0.01";
  if (ulp < 9.95) return String(Number(ulp.toPrecision(2)));
  if (ulp < 9999.5) return ulp.toFixed(0);
  return ulp.toExponential(1).replace(".0e", "e").replace("e+", "e");
}

const STATUS_WORDS = {
  passed: "passed", deviates: "known deviation", failed: "failed", not_run: "not run",
};

const GRADE_ORDER = ["", "exact", "faithful", "accurate", "coarse", "wrong"];
const STATUS_ORDER = ["failed", "deviates", "passed", "not_run"];
const DTYPE_ORDER = ["bfloat16", "float16", "float32", "float64"];

/** Compares by place in a list; what is not in it comes after, by name. */
function byPlace(order) {
  const place = (value) => (order.includes(value) ? order.indexOf(value) : order.length);
  return (one, other) => place(one) - place(other) || compareTexts(one, other);
}

function compareTexts(one, other) {
  return one < other ? -1 : Number(one > other);
}
