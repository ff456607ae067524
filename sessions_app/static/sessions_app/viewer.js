/** The right side of the files page: the text of the selected file, or what changed in it. */
import { difference } from "./diff.js";
import { countOf, fault } from "./listing.js";
import { clone } from "./pages.js";
import { addressOf, legible, parentOf, sizeOf } from "./place.js";

const SHOWN = 256 * 1024;
const SHOWN_ROWS = 5000;
const FETCHED = 4 * 1024 * 1024;
const SIGNS = { same: "", added: "+", removed: "−" };
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;
const HINTS = {
  changes: "Select a file to see what changed in it.",
  files: "Select a file to read it.",
};

export class Viewer {
  #workspace;
  #root;
  #place = null;
  #answer = "";
  #body = null;
  #load = new AbortController();

  constructor({ workspace, root }) {
    this.#workspace = workspace;
    this.#root = root;
  }

  /** Shows the file that is selected in a place; `row` is what its list knows about it, if it does. */
  async show(place, row) {
    const isThere = place.file !== "" && place.show === this.#place?.show && place.file === this.#place.file;
    this.#place = place;
    if (isThere) return this.#showBack();
    this.#load.abort();
    this.#answer = "";
    this.#body = null;
    if (!place.file) return this.#root.replaceChildren(clone("t-hint", { text: HINTS[place.show] }));
    this.#body = clone("t-body", {});
    this.#root.replaceChildren(this.#head(), this.#body);
    this.#showBack();
    await this.refresh(row);
  }

  /** Fetches what is shown again, and shows it when it is different. */
  async refresh(row) {
    if (this.#body === null) return;
    this.#load.abort();
    this.#load = new AbortController();
    const { signal } = this.#load;
    this.#body.setAttribute("aria-busy", "true");
    try {
      const { show, file } = this.#place;
      const parts = await (show === "changes" ? this.#difference(file, row, signal) : this.#file(file, row, signal));
      if (!signal.aborted && parts) this.#body.replaceChildren(...parts);
    } catch (error) {
      if (signal.aborted) return;
      this.#answer = "";
      this.#body.replaceChildren(fault(error, () => this.refresh(row)));
    }
    if (!signal.aborted) this.#body.setAttribute("aria-busy", "false");
  }

  async #file(path, row, signal) {
    if (row?.bytes > FETCHED) {
      this.#say(sizeOf(row.bytes));
      return this.#isNew(row) && [this.#unshown(`This file is too large to be shown here, ${sizeOf(row.bytes)}.`)];
    }
    const file = await this.#workspace.file(path, signal);
    if (signal.aborted || !this.#isNew(file)) return null;
    this.#say(sizeOf(file.bytes));
    if (file.encoding !== "utf-8") return [this.#unshown("This file is not text, so it is not shown here.")];
    if (file.content === "") return [clone("t-hint", { text: "This file is empty." })];
    const text = beginningOf(file.content);
    const lines = clone("t-text", { lines: turned(text), numbers: numbersOf(text) });
    if (text.length === file.content.length && !file.truncated) return [lines];
    return [noteOf(`Only the first ${sizeOf(SHOWN)} of ${sizeOf(file.bytes)} are shown. Download the file to read all of it.`), lines];
  }

  async #difference(path, row, signal) {
    const { before, after } = await this.#workspace.difference(path, signal);
    if (signal.aborted || !this.#isNew({ before, after })) return null;
    const isGone = after === null;
    this.#root.querySelector("[data-act=other]").hidden = isGone;
    this.#root.querySelector(".view__line [data-act=download]").hidden = isGone;
    const what = isGone ? "Deleted" : before === null ? "Added" : "Modified";
    this.#say(what);
    if ([before, after].some((text) => text?.includes("\0"))) {
      const sentence = `${what}. This file is not text, so the difference is not shown.`;
      return [isGone ? clone("t-hint", { text: sentence }) : this.#unshown(sentence)];
    }
    const { rows, added, removed } = difference(before, after);
    if (!rows.length) return [clone("t-hint", { text: `${what}. The file is empty.` })];
    this.#say(`${what} ${countOf({ lines_added: added, lines_removed: removed })}`);
    return tableOf(rows);
  }

  #head() {
    const { show, file } = this.#place;
    const head = clone("t-head", { name: legible(file), facts: "", other: show === "changes" ? "Whole file" : "" });
    const other = head.querySelector("[data-act=other]");
    if (show === "changes") other.href = addressOf({ show: "files", dir: parentOf(file), file });
    else other.remove();
    head.querySelector("[data-act=download]").href = this.#workspace.download(file);
    return head;
  }

  #showBack() {
    this.#root.querySelector("[data-act=back]").href = addressOf({ ...this.#place, file: "" });
  }

  #unshown(text) {
    const shown = clone("t-unshown", { text });
    shown.querySelector("a").href = this.#workspace.download(this.#place.file);
    this.#root.querySelector(".view__line [data-act=download]").hidden = true;
    return shown;
  }

  #isNew(answer) {
    const text = JSON.stringify(answer);
    const isNew = text !== this.#answer;
    this.#answer = text;
    return isNew;
  }

  #say(text) {
    this.#root.querySelector(".view__facts").textContent = text;
  }
}

/** As much of a text as is shown, whole characters and, where there are any, whole lines. */
function beginningOf(text) {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= SHOWN) return text;
  const start = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(0, SHOWN), { stream: true });
  return start.slice(0, start.lastIndexOf("\n") + 1 || start.length);
}

function numbersOf(text) {
  const count = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  return Array.from({ length: count }, (_, index) => index + 1).join("\n");
}

/** Characters that make a text read differently than it is are shown as such. */
function turned(text) {
  return text.replace(TURNING, "\ufffd");
}

function tableOf(rows) {
  const table = clone("t-diff", {});
  const body = table.querySelector("tbody");
  let length = 0;
  let at = 0;
  for (; at < rows.length && at < SHOWN_ROWS; at += 1) {
    length += rows[at].text?.length ?? 0;
    if (length > SHOWN) break;
    body.append(...lineOf(rows[at]));
  }
  if (at === rows.length) return [table];
  return [noteOf("Only the beginning of this difference is shown. Look at the whole file for the rest."), table];
}

function lineOf({ kind, text, before, after, count }) {
  if (kind === "gap") return [clone("t-gap", { text: `${count.toLocaleString("en")} unchanged ${count === 1 ? "line" : "lines"}` })];
  const isEnded = text.endsWith("\n");
  const line = turned(isEnded ? text.slice(0, -1) : text);
  const row = clone("t-line", { before, after, sign: SIGNS[kind], text: kind === "same" ? line : line.replace(/\r$/, "␍") });
  row.dataset.kind = kind;
  return isEnded || kind === "same" ? [row] : [row, clone("t-gap", { text: "No line feed at the end of the file" })];
}

function noteOf(text) {
  return clone("t-note", { text });
}
