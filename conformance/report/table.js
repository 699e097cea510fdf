/* The table of results: filters, order, pages. */

const PAGE_ROWS = 50;
const FILTERS = [
  "q", "adapter", "device", "dtype", "group", "status", "grade", "flag", "differs", "sort",
];

const COLUMNS = {
  case: (row) => row.case.id,
  adapter: (row) => row.subject.adapter,
  device: (row) => row.subject.device,
  dtype: (row) => row.dtype,
  status: (row) => row.status,
  grade: (row) => row.grade,
  ulp: ulpRank,
};

const ORDERS = {
  case: compareTexts,
  adapter: compareTexts,
  device: compareTexts,
  dtype: byPlace(DTYPE_ORDER),
  status: byPlace(STATUS_ORDER),
  grade: byPlace(GRADE_ORDER),
  ulp: compareNumbers,
};

/** A distance that cannot be told is beyond every distance, where something is wrong. */
function ulpRank(row) {
  return row.ulp ?? (row.grade === "wrong" ? Infinity : -1);
}

function worstFirst(one, other) {
  return ORDERS.status(one.status, other.status)
    || GRADE_ORDER.indexOf(other.grade) - GRADE_ORDER.indexOf(one.grade)
    || compareNumbers(ulpRank(other), ulpRank(one))
    || one.index - other.index;
}

/** Subtraction would make a NaN of two infinities. */
function compareNumbers(one, other) {
  return one < other ? -1 : Number(one > other);
}

class ResultTable {
  constructor(report, { onFilter, onRow }) {
    this.rows = [...report.rows].sort(worstFirst);
    this.onRow = onRow;
    this.form = document.getElementById("filters");
    this.body = document.querySelector("#rows tbody");
    this.sort = "";
    this.page = 0;
    for (const name of ["adapter", "device", "dtype", "status", "grade"]) {
      this.fill(name, this.rows.map(COLUMNS[name]));
    }
    const shown = new Set(this.rows.map((row) => row.case));
    this.fill("group", [...shown].map(({ group }) => group));
    this.fill("flag", [...shown].flatMap(({ flags }) => flags));
    const changed = () => {
      this.page = 0;
      this.show();
      onFilter();
    };
    this.form.addEventListener("input", changed);
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("reset", (event) => {
      event.preventDefault();
      this.filter(new URLSearchParams());
      onFilter();
    });
    for (const button of document.querySelectorAll("#rows [data-sort]")) {
      button.addEventListener("click", () => {
        this.sort = nextSort(this.sort, button.dataset.sort);
        changed();
      });
    }
    document.getElementById("previous").addEventListener("click", () => this.turn(-1));
    document.getElementById("next").addEventListener("click", () => this.turn(1));
  }

  fill(name, found) {
    const values = [...new Set(found)].filter(Boolean);
    values.sort(ORDERS[name] ?? compareTexts);
    const words = (item) => (name === "status" ? STATUS_WORDS[item] ?? item : item);
    this.form.elements[name].replaceChildren(
      el("option", { value: "" }, "all"),
      ...values.map((item) => el("option", { value: item }, words(item))),
    );
  }

  /** The filters as they go into the address; empty ones are left out. */
  filters() {
    const found = new URLSearchParams();
    for (const [name, value] of new FormData(this.form)) {
      if (value) found.set(name, value);
    }
    if (this.sort) found.set("sort", this.sort);
    return found;
  }

  /** Set every filter from `wanted`; what it does not name is cleared. */
  filter(wanted) {
    for (const name of FILTERS) {
      const value = wanted.get(name) ?? "";
      if (name === "sort") this.sort = value.replace("-", "") in COLUMNS ? value : "";
      else if (name === "differs") this.form.elements.differs.checked = value !== "";
      else this.form.elements[name].value = value;
      // A value of which there is no result must show no rows, not all.
      const field = this.form.elements[name];
      if (field?.tagName === "SELECT" && field.value !== value) {
        field.append(el("option", { value }, value));
        field.value = value;
      }
    }
    this.page = 0;
    this.show();
  }

  matching() {
    const wanted = this.filters();
    const words = (wanted.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const exact = ["adapter", "device", "dtype", "status", "grade"].filter((name) => wanted.has(name));
    const found = this.rows.filter((row) =>
      exact.every((name) => COLUMNS[name](row) === wanted.get(name))
      && (!wanted.has("group") || row.case.group === wanted.get("group"))
      && (!wanted.has("flag") || row.case.flags.includes(wanted.get("flag")))
      && (!wanted.has("differs") || row.differs)
      && words.every((word) => isFound(row, word)));
    if (this.sort) {
      const column = this.sort.replace("-", "");
      const sign = this.sort.startsWith("-") ? -1 : 1;
      const [key, order] = [COLUMNS[column], ORDERS[column]];
      found.sort((one, other) => sign * order(key(one), key(other)));
    }
    return found;
  }

  turn(pages) {
    this.page += pages;
    this.show();
  }

  show() {
    const found = this.matching();
    const last = Math.max(0, Math.ceil(found.length / PAGE_ROWS) - 1);
    this.page = Math.min(Math.max(this.page, 0), last);
    const start = this.page * PAGE_ROWS;
    this.body.replaceChildren(
      ...found.slice(start, start + PAGE_ROWS).map((row) => this.line(row)),
    );
    const count = (number) => number.toLocaleString("en");
    document.getElementById("matches").textContent =
      `${count(found.length)} of ${count(this.rows.length)} results`;
    document.getElementById("page").textContent = `page ${this.page + 1} of ${last + 1}`;
    document.getElementById("previous").disabled = this.page === 0;
    document.getElementById("next").disabled = this.page === last;
    for (const button of document.querySelectorAll("#rows [data-sort]")) {
      const column = button.dataset.sort;
      const order = { [column]: "ascending", ["-" + column]: "descending" }[this.sort];
      button.closest("th").setAttribute("aria-sort", order ?? "none");
    }
  }

  line(row) {
    const link = el("a", { href: caseHref(row.case.id) }, breakable(row.case.id));
    link.addEventListener("click", () => this.onRow(row));
    const number = ulpText(row.ulp);
    return el("tr", {},
      el("th", { scope: "row", class: "case" }, link),
      el("td", {}, row.subject.adapter),
      el("td", {}, row.subject.device),
      el("td", {}, row.dtype),
      el("td", {}, el("span", { class: `status ${row.status}` }, STATUS_WORDS[row.status])),
      el("td", { class: "grade" }, el("b", {}, row.mark), " ", row.grade),
      el("td", { class: "ulp" }, number, number ? el("span", { class: "key" }, " ", row.worst) : null),
      el("td", { class: "message" }, el("span", { class: "cut", title: row.note || null }, row.note)));
  }
}

/** What a result is found by: its case, and what is said of itself. */
function isFound(row, word) {
  row.case.search ??= [row.case.id, row.case.about, ...row.case.flags, ...row.case.policies]
    .join(" ").toLowerCase();
  row.search ??= `${row.note} ${row.deviation}`.toLowerCase();
  return row.case.search.includes(word) || row.search.includes(word);
}

/** A column is sorted one way, then the other, then not at all; distances start at the worst. */
function nextSort(sort, column) {
  const ways = column === "ulp" ? ["-ulp", "ulp"] : [column, "-" + column];
  return [...ways, ""][ways.indexOf(sort) + 1];
}
