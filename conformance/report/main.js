/* Wires the page: theme, address, matrix, plots, table, case. */

function startTheme(onChange) {
  const button = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const show = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    onChange();
  };
  // Storage may be refused, as for a page opened from disk: then the choice lasts while it is open.
  try {
    const stored = localStorage.getItem("theme");
    if (stored === "dark" || stored === "light") root.dataset.theme = stored;
  } catch { /* See above. */ }
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch { /* See above. */ }
    show();
  });
  dark.addEventListener("change", show);
  show();
}

function startMatrix(views) {
  const cells = document.querySelectorAll(".matrix a.cell");
  document.getElementById("matrix-dtype").addEventListener("change", (event) => {
    views[event.target.value].forEach(([mark, number, heat, failed, part, words, href], index) => {
      const cell = cells[index];
      cell.className = `cell ${heat}${failed ? " failed" : ""}`;
      cell.title = words;
      cell.setAttribute("href", href);
      const [markPlace, numberPlace, partPlace] = cell.children;
      markPlace.textContent = mark;
      numberPlace.textContent = number;
      partPlace.textContent = part;
    });
  });
}

/** What the address asks for: a case, filters, or neither (an anchor of the page). */
function readAddress() {
  const hash = location.hash.slice(1);
  if (hash.startsWith("case=")) {
    try {
      return { id: decodeURIComponent(hash.slice("case=".length)) };
    } catch {
      return { id: hash.slice("case=".length) };
    }
  }
  const filters = new URLSearchParams(hash);
  return hash === "" || FILTERS.some((name) => filters.has(name)) ? { filters } : {};
}

async function start() {
  const report = await unpack();
  const replaceAddress = () => history.replaceState(null, "", "#" + table.filters());
  const openCase = (row) => {
    panel.dtype = row.dtype;
  };
  const table = new ResultTable(report, { onFilter: replaceAddress, onRow: openCase });
  const panel = new CasePanel(report, {
    onClose: () => {
      if (location.hash.startsWith("#case=")) replaceAddress();
    },
    neighbours: () => table.matching(),
  });
  const plots = new Plots(report, (row) => {
    openCase(row);
    location.hash = caseHref(row.case.id);
  });
  for (const found of document.querySelectorAll(".wide")) wideWatcher.observe(found);
  startTheme(() => plots.draw());
  startMatrix(report.matrix);
  startDownloads(table);
  new Moves(report);

  const follow = (scroll) => {
    const { id, filters } = readAddress();
    if (id !== undefined) {
      panel.open(id);
      return;
    }
    panel.close();
    if (!filters) return;
    table.filter(filters);
    if (scroll && filters.size > 0) document.getElementById("results").scrollIntoView();
  };
  addEventListener("hashchange", () => follow(true));
  table.filter(new URLSearchParams());
  document.documentElement.classList.add("ready");
  follow(true);
}

start().catch((error) => {
  const problem = document.getElementById("problem");
  problem.textContent = `This page's script failed, so the single results are not shown: ${error.message}`;
  problem.hidden = false;
});
