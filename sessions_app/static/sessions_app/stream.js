/**
 * The public event stream of one session, followed for as long as the page is open.
 *
 * The browser resumes by itself after a dropped connection; after an HTTP error, a silence or an end announced by
 * the server this opens a new one at the last number seen. No event is handed on twice.
 */
const SILENCE = 45_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;

export class Stream {
  #url;
  #after;
  #handlers;
  #onState;
  #source = null;
  #watchdog = 0;
  #retry = 0;
  #wait = FIRST_WAIT;

  /** `handlers` maps event types to functions of the parsed event; `onState` hears "open", "lost" and "done". */
  constructor({ url, after, handlers, onState }) {
    this.#url = url;
    this.#after = after;
    this.#handlers = handlers;
    this.#onState = onState;
  }

  get isOpen() {
    return this.#source !== null;
  }

  open() {
    this.close();
    const source = new EventSource(`${this.#url}?after=${encodeURIComponent(this.#after)}`);
    this.#source = source;
    source.addEventListener("open", () => {
      this.#wait = FIRST_WAIT;
      this.#onState("open");
    });
    source.addEventListener("error", () => this.#failed(source));
    source.addEventListener("done", () => this.#again(source));
    source.addEventListener("session.heartbeat", () => this.#alive());
    for (const [type, handle] of Object.entries(this.#handlers)) {
      source.addEventListener(type, (event) => this.#take(event, handle));
    }
    this.#alive();
  }

  close() {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = null;
  }

  #take(event, handle) {
    this.#alive();
    if (event.lastEventId && event.lastEventId !== this.#after) {
      if (isBehind(event.lastEventId, this.#after)) return;
      this.#after = event.lastEventId;
    }
    handle(JSON.parse(event.data));
  }

  #alive() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#again(this.#source), SILENCE);
  }

  #failed(source) {
    if (source !== this.#source) return;
    this.#onState("lost");
    // While it is connecting the browser retries by itself, with the last number in a header.
    if (source.readyState === EventSource.CLOSED) this.#again(source);
  }

  #again(source) {
    if (source !== this.#source) return;
    this.close();
    this.#onState("lost");
    this.#retry = setTimeout(() => this.open(), this.#wait * (0.75 + Math.random() / 2));
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
  }
}

function isBehind(id, after) {
  return Number.parseInt(id, 10) <= Number.parseInt(after, 10);
}
