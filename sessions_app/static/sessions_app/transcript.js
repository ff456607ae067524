/**
 * The transcript in the page. Streamed text is only ever added as text; what is finished is replaced by the
 * server's own rendering of the stored item, so that a reload shows the same.
 */
import { localise } from "./clock.js";
import { clone, fetchPage, fragment } from "./pages.js";

const STATES = { running: "Running", done: "Done" };

export class Transcript {
  #root;
  #live;
  #base;
  #agent;
  #texts = new Map();
  #reasoning = null;
  #versions = new WeakMap();

  constructor({ root, base, agent }) {
    this.#root = root;
    this.#live = root.querySelector("#live");
    this.#base = base;
    this.#agent = agent;
  }

  /** Whether text or a call is still under way. */
  get isStreaming() {
    return this.#live.querySelector(".entry") !== null;
  }

  addUser(itemId, data) {
    if (this.#has(itemId)) return;
    const text = (data.content ?? []).map((block) => block.text).filter(Boolean).join("\n\n");
    const entry = clone("t-user", { text });
    this.#commit(entry, itemId);
    this.#replace(entry, `items/${itemId}`);
  }

  addText(delta, messageId) {
    const key = messageId ?? "";
    let slot = this.#texts.get(key);
    if (!slot) {
      const entry = clone("t-agent", { who: this.#agent });
      slot = entry.querySelector("[data-slot=text]");
      this.#texts.set(key, slot);
      this.#append(entry);
      this.#fold();
    }
    slot.append(delta);
  }

  addReasoning(delta) {
    if (!this.#reasoning) {
      const entry = clone("t-reasoning", {});
      this.#reasoning = entry.querySelector("[data-slot=text]");
      this.#append(entry);
    }
    this.#reasoning.append(delta);
    this.#reasoning.scrollTop = this.#reasoning.scrollHeight;
  }

  addCallOutput(callId, delta) {
    const card = this.#call(callId);
    if (!card) return;
    card.querySelector(".output").hidden = false;
    card.querySelector("[data-slot=output]")?.append(delta);
  }

  /** A finished item, or a call that begins; what is on the page already stays as it is. */
  finish(item) {
    if (item.type === "function_call") this.#finishCall(item);
    else if (item.type === "function_call_output") this.#finishOutput(item);
    else if (item.type === "message" && item.role !== "user") this.#finishText(item);
    else if (item.type === "reasoning") this.#finishReasoning(item);
    else if (!this.#has(item.id)) this.#adopt(item.id);
  }

  async ask(id) {
    if (this.#question(id)) return;
    const card = await fragment(`${this.#base}/elicitations/${id}`, ".approval");
    if (card && !this.#question(id)) this.#append(card);
  }

  resolve(id) {
    this.#question(id)?.remove();
  }

  /** The history is being summarised: an entry says so until that is over. */
  compacting() {
    if (!this.#compacting()) this.#append(clone("t-compaction", {}));
  }

  compacted() {
    this.#compacting()?.remove();
  }

  /** The turn is over: what never became an item goes, what was stored without an event comes in. */
  async settle() {
    this.#texts.clear();
    this.#reasoning = null;
    this.#live.querySelectorAll(".entry").forEach((entry) => entry.remove());
    this.#root.querySelectorAll(".entry--reasoning:not([data-item])").forEach((entry) => entry.remove());
    let previous = [...this.#root.querySelectorAll(".entry[data-item]")].at(-1) ?? null;
    const page = await fetchPage(`${this.#base}/items?after=${previous?.dataset.output ?? previous?.dataset.item ?? ""}`);
    for (const entry of page?.querySelectorAll(".entry") ?? []) {
      const known = this.#entry(entry.dataset.item);
      const card = entry.dataset.output === entry.dataset.item ? this.#call(entry.dataset.call) : null;
      if (card && !known) this.#replace(card, `calls/${encodeURIComponent(entry.dataset.call)}`);
      if (!known && !card) this.#place(document.adoptNode(entry), previous);
      previous = known ?? card ?? entry;
    }
  }

  #finishText(item) {
    const slots = [...this.#texts.values()];
    this.#texts.clear();
    const known = this.#has(item.id);
    slots.slice(known ? 0 : 1).forEach((slot) => slot.closest(".entry").remove());
    if (known) return;
    const entry = slots[0]?.closest(".entry") ?? clone("t-agent", { who: this.#agent, text: textOf(item) });
    entry.classList.remove("is-streaming");
    this.#commit(entry, item.id);
    this.#replace(entry, `items/${item.id}`);
  }

  #finishReasoning(item) {
    const entry = this.#reasoning?.closest(".entry");
    this.#reasoning = null;
    if (this.#has(item.id)) entry?.remove();
    else if (entry) {
      this.#commit(entry, item.id);
      this.#replace(entry, `items/${item.id}`);
    } else this.#adopt(item.id);
  }

  #finishCall(item) {
    this.#fold();
    this.#texts.forEach((slot) => slot.closest(".entry").classList.remove("is-streaming"));
    const known = this.#call(item.call_id);
    if (known && !this.#live.contains(known)) return;
    const card = known ?? this.#begin(item);
    if (item.status === "completed") this.#commit(card, item.id);
  }

  #begin(item) {
    const card = clone("t-tool", { name: item.name, headline: "" });
    card.dataset.call = item.call_id;
    card.setAttribute("aria-label", `Tool call ${item.name}`);
    const rows = argumentsOf(item.arguments);
    card.querySelector("[data-slot=headline]").textContent = (rows[0]?.[1] ?? "").trim().split("\n")[0];
    card.querySelector("[data-slot=arguments]").append(...rows.map(argumentRow));
    this.#append(card);
    return card;
  }

  #finishOutput(item) {
    const card = this.#call(item.call_id);
    if (!card) return this.#adopt(item.id);
    if (card.dataset.state === "done") return undefined;
    card.dataset.output = item.id;
    card.dataset.state = "done";
    card.querySelector(".card__state").textContent = STATES.done;
    const output = card.querySelector("[data-slot=output]");
    if (output) {
      card.querySelector(".output").hidden = false;
      output.textContent = (item.output ?? "").slice(0, 2400);
    }
    return this.#replace(card, `calls/${encodeURIComponent(item.call_id)}`);
  }

  #adopt(itemId) {
    const entry = document.createElement("article");
    entry.className = "entry";
    this.#commit(entry, itemId);
    return this.#replace(entry, `items/${itemId}`);
  }

  async #replace(entry, path) {
    const version = (this.#versions.get(entry) ?? 0) + 1;
    this.#versions.set(entry, version);
    const fresh = await fragment(`${this.#base}/${path}`, ".entry");
    if (!fresh || this.#versions.get(entry) !== version) return;
    const details = entry.querySelector("details");
    const wanted = fresh.querySelector("details");
    if (details && wanted && entry.dataset.call) wanted.open = details.open;
    entry.replaceWith(fresh);
  }

  #commit(entry, itemId) {
    entry.dataset.item = itemId;
    entry.removeAttribute("aria-busy");
    if (!entry.isConnected || this.#live.contains(entry)) this.#place(entry);
  }

  #place(entry, previous = null) {
    this.#dropHush();
    // Thinking is not stored: it goes along, above what it led to, and stays until the turn is over.
    const thinking = this.#live.contains(entry) ? thoughtsBefore(entry) : [];
    if (previous) previous.after(...thinking, entry);
    else this.#live.before(...thinking, entry);
    localise(entry);
  }

  #append(entry) {
    this.#dropHush();
    this.#live.append(entry);
    localise(entry);
  }

  #fold() {
    if (!this.#reasoning) return;
    this.#reasoning.closest("details").open = false;
    this.#reasoning.closest(".entry").removeAttribute("aria-busy");
    this.#reasoning = null;
  }

  #dropHush() {
    this.#root.querySelector("#hush")?.remove();
  }

  #has(itemId) {
    return this.#entry(itemId) !== null;
  }

  #entry(itemId) {
    const id = CSS.escape(itemId);
    return this.#root.querySelector(`[data-item="${id}"], [data-output="${id}"]`);
  }

  #call(callId) {
    const cards = this.#root.querySelectorAll(`[data-call="${CSS.escape(callId)}"]`);
    return cards[cards.length - 1] ?? null;
  }

  #compacting() {
    return this.#root.querySelector("#compacting");
  }

  #question(id) {
    return this.#root.querySelector(`[data-elicitation="${CSS.escape(id)}"]`);
  }
}

function thoughtsBefore(entry) {
  const thoughts = [];
  for (let at = entry.previousElementSibling; at; at = at.previousElementSibling) {
    if (at.matches(".entry--reasoning")) thoughts.unshift(at);
  }
  return thoughts;
}

function textOf(item) {
  return (item.content ?? []).map((block) => block.text ?? "").join("\n\n");
}

function argumentsOf(text) {
  try {
    const parsed = JSON.parse(text || "{}");
    if (parsed && typeof parsed === "object" && !Array.isArray(parsed)) {
      return Object.entries(parsed).map(([name, value]) => [
        name,
        typeof value === "string" ? value : JSON.stringify(value, null, 2),
      ]);
    }
  } catch {
    // Not JSON: shown as the model wrote it.
  }
  return [["arguments", text]];
}

function argumentRow([name, value]) {
  const row = document.createElement("div");
  const term = document.createElement("dt");
  const text = document.createElement("dd");
  term.textContent = name;
  text.textContent = value;
  row.append(term, text);
  return row;
}
