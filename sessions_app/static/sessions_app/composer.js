/** The message box: sends, keeps the draft over reloads, interrupts. */
import { newKey, send } from "./send.js";

const TOUCH = matchMedia("(pointer: coarse)");

export class Composer {
  #form;
  #text;
  #button;
  #alert;
  #url;
  #slot;
  #key;

  constructor({ sessionId, form, alert }) {
    this.#form = form;
    this.#text = form.elements.text;
    this.#button = form.querySelector("#send");
    this.#alert = alert;
    this.#url = `/v1/sessions/${sessionId}/events`;
    this.#slot = `draft:${sessionId}`;
    this.#restore();
    form.addEventListener("submit", (event) => this.#submit(event));
    this.#text.addEventListener("input", () => this.#changed());
    this.#text.addEventListener("keydown", (event) => this.#pressed(event));
    document.getElementById("interrupt").addEventListener("submit", (event) => this.#interrupt(event));
  }

  say(message) {
    this.#alert.textContent = message;
    this.#alert.hidden = !message;
  }

  #restore() {
    const kept = JSON.parse(sessionStorage.getItem(this.#slot) ?? "null");
    this.#key = kept?.key ?? newKey();
    if (kept?.text && !this.#text.value) this.#text.value = kept.text;
    this.#fit();
  }

  #changed() {
    // Other words are another message: they must not be taken for a repeat of one under way.
    this.#key = newKey();
    this.#keep();
    this.#fit();
  }

  #keep() {
    const draft = { text: this.#text.value, key: this.#key };
    if (draft.text) sessionStorage.setItem(this.#slot, JSON.stringify(draft));
    else sessionStorage.removeItem(this.#slot);
  }

  #fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }

  #pressed(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || TOUCH.matches) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  async #submit(event) {
    event.preventDefault();
    const text = this.#text.value.trim();
    if (!text || this.#button.disabled) return;
    this.#keep();
    this.#busy(true);
    const content = [{ type: "input_text", text }];
    try {
      await send(this.#url, { type: "message", data: { role: "user", content } }, this.#key);
      this.#text.value = "";
      this.#changed();
      this.say("");
    } catch (error) {
      this.say(error.message);
    } finally {
      this.#busy(false);
      this.#text.focus();
    }
  }

  #busy(isSending) {
    this.#button.disabled = isSending;
    this.#button.textContent = isSending ? "Sending…" : "Send";
    this.#text.readOnly = isSending;
  }

  async #interrupt(event) {
    event.preventDefault();
    const button = event.submitter;
    if (button) button.disabled = true;
    try {
      await send(this.#url, { type: "interrupt", data: {} }, newKey());
    } catch (error) {
      this.say(error.message);
    } finally {
      if (button) button.disabled = false;
    }
  }
}
