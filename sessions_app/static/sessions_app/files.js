/** The files page: what is listed and selected stands in the address, and follows the workspace while it changes. */
import { Listing } from "./listing.js";
import { addressOf, legible, nameOf, placeOf } from "./place.js";
import { Stream } from "./stream.js";
import { Viewer } from "./viewer.js";
import { Workspace } from "./workspace.js";

const PAUSE = 300;
const RESET_PAUSE = 5000;
const NARROW = matchMedia("(max-width: 46rem)");

const page = document.getElementById("main");
const panes = document.getElementById("panes");
const view = document.getElementById("view");
const button = document.getElementById("refresh");
const sessionId = page.dataset.session;
const workspace = new Workspace(sessionId);
const listing = new Listing({
  workspace,
  list: document.getElementById("list"),
  note: document.getElementById("note"),
  crumbs: document.getElementById("crumbs"),
});
const viewer = new Viewer({ workspace, root: view });
let place = null;

/** Shows the place that the address names. */
async function show() {
  const last = place;
  const next = placeOf(location.search);
  place = next;
  panes.dataset.selected = next.file ? "yes" : "no";
  for (const tab of page.querySelectorAll(".browse__tabs a")) {
    if (tab.dataset.show === next.show) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  document.getElementById("q").value = next.q;
  document.title = [next.file && legible(nameOf(next.file)), "Files", `${page.dataset.title} · Omnigent`].filter(Boolean).join(" · ");
  await listing.show(next);
  // While the list was fetched the reader may have gone on.
  if (place !== next) return;
  if (NARROW.matches && last && last.file !== next.file) next.file ? view.focus() : listing.focus(last.file);
  await viewer.show(next, listing.rowOf(next.file));
}

function go(address) {
  history.pushState(null, "", address === "?" ? location.pathname : address);
  show();
}

let timer = 0;
let isRefreshing = false;
let isStale = false;

/** Something in the workspace is different: one fetch shows what may be many changes. */
function changed() {
  isStale = true;
  if (timer || isRefreshing) return;
  timer = setTimeout(refresh, PAUSE);
}

async function refresh() {
  clearTimeout(timer);
  timer = 0;
  isStale = false;
  isRefreshing = true;
  await listing.refresh();
  await viewer.refresh(listing.rowOf(place.file));
  isRefreshing = false;
  if (isStale) changed();
}

page.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='?']");
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
document.getElementById("find").addEventListener("submit", (event) => {
  event.preventDefault();
  go(addressOf({ show: "files", q: new FormData(event.currentTarget).get("q").trim() }));
});
button.addEventListener("click", refresh);
addEventListener("popstate", show);

const stream = new Stream({
  url: `/v1/sessions/${sessionId}/stream`,
  after: page.dataset.after,
  handlers: {
    "session.changed_files.invalidated": changed,
    // The pause keeps a server that resets every stream from making the page reload in a circle.
    "stream.reset": () => setTimeout(() => location.reload(), RESET_PAUSE),
  },
  onState: (state) => (page.dataset.connection = state),
});
document.addEventListener("visibilitychange", () => {
  // Browsers allow few connections per server: a page nobody looks at gives its own back.
  if (document.hidden) return stream.close();
  stream.open();
  changed();
});
addEventListener("pagehide", () => stream.close());
addEventListener("pageshow", (event) => event.persisted && stream.open());

panes.hidden = false;
button.hidden = false;
show();
if (!document.hidden) stream.open();
