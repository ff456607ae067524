/** The left side of the files page: changes, the entries of a directory, or what a search found. */
import { clone } from "./pages.js";
import { addressOf, isSameList, legible, nameOf, parentOf, sizeOf } from "./place.js";

const STEP = 500;
const WORDS = { created: "Added", modified: "Modified", deleted: "Deleted", renamed: "Renamed" };
const NOTHING = {
  changes: "Nothing has changed. What the agent writes shows up here.",
  found: "Nothing has that in its name.",
  directory: "This directory is empty.",
};

export class Listing {
  #workspace;
  #list;
  #note;
  #crumbs;
  #place = null;
  #page = null;
  #wanted = STEP;
  #load = new AbortController();

  constructor({ workspace, list, note, crumbs }) {
    this.#workspace = workspace;
    this.#list = list;
    this.#note = note;
    this.#crumbs = crumbs;
  }

  /** What is listed about a path; undefined when it is not in the list. */
  rowOf(path) {
    return this.#page?.data.find((row) => row.path === path);
  }

  /** Shows the list of a place, which is fetched unless it is there already. */
  async show(place) {
    const isThere = this.#page !== null && isSameList(this.#place, place);
    this.#place = place;
    if (isThere) return this.#mark();
    const hadFocus = [this.#list, this.#crumbs].some((part) => part.contains(document.activeElement));
    this.#page = null;
    this.#wanted = STEP;
    this.#showCrumbs();
    this.#list.replaceChildren();
    this.#say("Loading…");
    await this.refresh();
    if (hadFocus) (this.#list.querySelector("a, button") ?? this.#list).focus();
  }

  /** Fetches the list again and shows what is different. */
  async refresh() {
    this.#load.abort();
    this.#load = new AbortController();
    const { signal } = this.#load;
    this.#list.setAttribute("aria-busy", "true");
    try {
      const page = await this.#fetch(signal);
      if (!signal.aborted) this.#put(page);
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  /** Puts the focus on the row of a path. */
  focus(path) {
    const address = addressOf({ ...this.#place, file: path });
    [...this.#list.querySelectorAll("a")].find((link) => link.getAttribute("href") === address)?.focus();
  }

  #fetch(signal) {
    const { show, dir, q } = this.#place;
    if (show === "changes") return this.#workspace.changes(signal);
    return q ? this.#workspace.found(q, signal) : this.#directory(dir, signal);
  }

  async #directory(path, signal) {
    let page = await this.#workspace.directory(path, "", signal);
    const data = [...page.data];
    while (page.has_more && page.data.length && data.length < this.#wanted) {
      page = await this.#workspace.directory(path, page.data.at(-1).id, signal);
      data.push(...page.data);
    }
    return { data, has_more: page.has_more };
  }

  #put(page) {
    this.#list.setAttribute("aria-busy", "false");
    const isSame = JSON.stringify(page) === JSON.stringify(this.#page);
    this.#page = page;
    if (isSame) return;
    const held = this.#list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const kind = this.#kind;
    const rows = kind === "changes" ? page.data : [...page.data].sort(directoriesFirst);
    const items = rows.slice(0, this.#wanted).map((row) => (kind === "changes" ? this.#change(row) : this.#entry(row)));
    const paths = document.createElement("ul");
    paths.className = "paths";
    paths.append(...items);
    this.#list.replaceChildren(items.length ? paths : clone("t-hint", { text: NOTHING[kind] }));
    if (rows.length > this.#wanted || (kind === "directory" && page.has_more)) this.#list.append(this.#more());
    this.#say(lineOf(kind, page));
    this.#mark();
    if (held !== null) [...this.#list.querySelectorAll("a")].find((link) => link.getAttribute("href") === held)?.focus();
  }

  get #kind() {
    if (this.#place.show === "changes") return "changes";
    return this.#place.q ? "found" : "directory";
  }

  #fail(error) {
    this.#page = null;
    this.#list.setAttribute("aria-busy", "false");
    this.#say("");
    this.#list.replaceChildren(fault(error, () => this.refresh()));
  }

  #change(row) {
    const item = clone("t-change", {
      name: legible(nameOf(row.path)),
      where: legible(parentOf(row.path)),
      status: WORDS[row.status] ?? row.status,
      count: countOf(row),
    });
    item.querySelector(".change").dataset.status = row.status;
    item.querySelector("a").href = addressOf({ show: "changes", file: row.path });
    return item;
  }

  #entry(row) {
    const isDirectory = row.type === "directory";
    const { dir, q } = this.#place;
    const item = clone("t-entry", {
      name: legible(nameOf(row.path)) + (isDirectory ? "/" : ""),
      where: q ? legible(parentOf(row.path)) : "",
      size: isDirectory ? "" : sizeOf(row.bytes),
    });
    const address = isDirectory ? { show: "files", dir: row.path } : { show: "files", dir, q, file: row.path };
    item.querySelector("a").href = addressOf(address);
    return item;
  }

  #more() {
    const more = clone("t-more", { text: "Show more" });
    more.querySelector("button").addEventListener("click", async () => {
      const next = this.#list.querySelectorAll("a").length;
      this.#wanted += STEP;
      // The list is built anew, also when what it is built from is the same.
      this.#page = null;
      await this.refresh();
      this.#list.querySelectorAll("a")[next]?.focus();
    });
    return more;
  }

  #showCrumbs() {
    const { show, dir, q } = this.#place;
    this.#crumbs.hidden = show !== "files";
    const names = dir ? dir.split("/") : [];
    const ways = [["workspace", ""], ...names.map((name, index) => [legible(name), names.slice(0, index + 1).join("/")])];
    const links = ways.map(([text, path]) => {
      const link = document.createElement("a");
      link.textContent = text;
      link.href = addressOf({ show: "files", dir: path });
      if (!q && path === dir) link.setAttribute("aria-current", "page");
      return link;
    });
    this.#crumbs.replaceChildren(...links);
  }

  #mark() {
    const address = addressOf(this.#place);
    for (const link of this.#list.querySelectorAll("a")) {
      const isCurrent = this.#place.file !== "" && link.getAttribute("href") === address;
      if (isCurrent) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  #say(text) {
    if (this.#note.textContent !== text) this.#note.textContent = text;
  }
}

/** What is shown instead of something that could not be had, with a button to try again. */
export function fault(error, again) {
  const shown = clone("t-fault", { text: error.message });
  shown.querySelector("button").addEventListener("click", again);
  return shown;
}

export function countOf({ lines_added: added, lines_removed: removed }) {
  return [added ? `+${added}` : "", removed ? `−${removed}` : ""].filter(Boolean).join(" ");
}

function directoriesFirst(one, other) {
  return (other.type === "directory") - (one.type === "directory");
}

function lineOf(kind, { data, has_more: hasMore }) {
  const count = data.length;
  if (!count) return "";
  const number = `${hasMore ? "More than " : ""}${count.toLocaleString("en")}`;
  if (kind === "changes") return `${number} changed ${count === 1 ? "file" : "files"}`;
  return kind === "found" ? `${number} found` : `${number} ${count === 1 ? "entry" : "entries"}`;
}
