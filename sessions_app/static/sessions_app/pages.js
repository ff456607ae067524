/** Pieces of the page: fetched as the server renders them, or copied from the templates in this one. */
import { localise } from "./clock.js";

/** The page at `url` as an inert document, tried again a few times; null when it cannot be had. */
export async function fetchPage(url) {
  for (const wait of [300, 1000, 3000, 0]) {
    try {
      const response = await fetch(url, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (response.ok) return new DOMParser().parseFromString(await response.text(), "text/html");
      if (response.status < 500) return null;
    } catch {
      // The connection is down; the stream says so in the page.
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  return null;
}

/** The element that `selector` finds in the page at `url`, ready to be put into this one; null when there is none. */
export async function fragment(url, selector) {
  const element = (await fetchPage(url))?.querySelector(selector);
  if (!element) return null;
  const adopted = document.adoptNode(element);
  localise(adopted);
  return adopted;
}

/** A copy of the template `id` with texts in its slots. */
export function clone(id, slots) {
  const entry = document.getElementById(id).content.firstElementChild.cloneNode(true);
  for (const [name, text] of Object.entries(slots)) {
    entry.querySelector(`[data-slot=${name}]`).textContent = text;
  }
  const now = entry.querySelector("time");
  if (now) now.dateTime = new Date().toISOString();
  return entry;
}
