/** The session's sub-agents and its agent's panel, as the server renders them, fetched again when they change. */
import { fragment } from "./pages.js";

const PAUSE = 250;

export class Family {
  #base;
  #onChange;
  #timer = 0;
  #isFetching = false;
  #isStale = false;
  #isTouched = false;

  constructor({ base, onChange }) {
    this.#base = base;
    this.#onChange = onChange;
    this.#watch();
  }

  /** What a session that waits is waiting for. */
  get line() {
    return document.getElementById("family").dataset.waiting;
  }

  /** Something about the sub-agents changed: one fetch shows what may be many changes. */
  changed() {
    this.#isStale = true;
    if (this.#timer || this.#isFetching) return;
    this.#timer = setTimeout(() => this.#refresh(), PAUSE);
  }

  async #refresh() {
    this.#timer = 0;
    this.#isStale = false;
    this.#isFetching = true;
    const fresh = await fragment(`${this.#base}/sub-agents`, "#family");
    this.#isFetching = false;
    if (fresh) this.#put(fresh);
    if (this.#isStale) this.changed();
  }

  #put(fresh) {
    const old = document.getElementById("family");
    const held = old.contains(document.activeElement) ? document.activeElement.closest(".kin")?.id ?? "" : null;
    // Work that ends leaves the list open; only people fold it.
    if (this.#isTouched || old.open) fresh.open = old.open;
    old.replaceWith(fresh);
    this.#watch();
    // Whoever was on a link, or on the line that folds the list, is there again.
    if (held !== null) (document.getElementById(held)?.querySelector("a") ?? fresh.querySelector("summary"))?.focus();
    this.#onChange();
  }

  #watch() {
    const line = document.querySelector("#family summary");
    line?.addEventListener("click", () => (this.#isTouched = true));
  }
}

/** Show the agent as it is now. */
export async function refreshAgent(base) {
  const fresh = await fragment(`${base}/agent`, "#agent");
  if (fresh) document.getElementById("agent").replaceWith(fresh);
}
