/** Lines above the message box about what happened beside the conversation; they stay until dismissed. */
import { clone } from "./pages.js";

const LIMIT = 5;

export class Notices {
  #list;

  constructor(list) {
    this.#list = list;
    // What the server told of has no way to be dismissed without scripts.
    const told = [...list.querySelectorAll(".notice__text")].map((each) => each.textContent);
    this.clear();
    told.forEach((text) => this.add(text));
    list.addEventListener("click", (event) => event.target.closest(".notice__away")?.closest(".notice").remove());
  }

  add(text) {
    if ([...this.#list.children].some((each) => each.querySelector(".notice__text").textContent === text)) return;
    this.#list.append(clone("t-notice", { text }));
    if (this.#list.children.length > LIMIT) this.#list.firstElementChild.remove();
  }

  clear() {
    this.#list.replaceChildren();
  }
}
