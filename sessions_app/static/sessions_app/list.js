/** Keeps the sessions list current: rows that changed are replaced by the server's newer ones. */
import { localise } from "./clock.js";
import { fetchPage } from "./pages.js";

const BUSY = 3000;
const QUIET = 12_000;
let timer = 0;

function plan() {
  clearTimeout(timer);
  if (document.hidden) return;
  const isBusy = document.querySelector(".row[data-status=running], .row[data-status=waiting]") !== null;
  timer = setTimeout(refresh, isBusy ? BUSY : QUIET);
}

async function refresh() {
  const fresh = await fetchPage(location.href);
  const next = fresh?.getElementById("rows");
  const rows = document.getElementById("rows");
  if (next && rows) merge(rows, document.adoptNode(next));
  else if (next) location.reload();
  plan();
}

function merge(rows, next) {
  localise(next);
  for (const row of [...rows.children]) if (!next.querySelector(`#${row.id}`)) row.remove();
  [...next.children].forEach((row, index) => {
    const old = document.getElementById(row.id);
    const isSame = old?.isEqualNode(row);
    if (isSame && rows.children[index] === old) return;
    // The row under the keyboard stays: replacing it would drop the focus.
    if (old?.contains(document.activeElement)) return;
    if (!isSame) old?.remove();
    rows.insertBefore(isSame ? old : row, rows.children[index] ?? null);
  });
}

document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));
plan();
