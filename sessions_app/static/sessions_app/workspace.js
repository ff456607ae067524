/** A session's workspace as the public API shows it. Every call rejects with an Error whose message is for people. */
const ENTRIES = 500;
const FOUND = 200;

export class Workspace {
  #base;

  constructor(sessionId) {
    this.#base = `/v1/sessions/${encodeURIComponent(sessionId)}/resources/environments/default`;
  }

  async changes(signal) {
    return listed(await ask(`${this.#base}/changes`, signal));
  }

  /** A page of a directory, by name; `after` is the id of the last entry that is there already. */
  async directory(path, after, signal) {
    const query = new URLSearchParams({ limit: ENTRIES, order: "asc", ...(after ? { after } : {}) });
    return listed(await ask(`${this.#at("filesystem", path)}?${query}`, signal));
  }

  /** Files and directories with `q` in their name. */
  async found(q, signal) {
    return listed(await ask(`${this.#base}/search?${new URLSearchParams({ q, limit: FOUND })}`, signal));
  }

  /** A changed file, `before` and `after`. */
  difference(path, signal) {
    return ask(this.#at("diff", path), signal);
  }

  async file(path, signal) {
    const file = await ask(this.#at("filesystem", path), signal);
    if (typeof file.content !== "string") throw new Error("That is a directory.");
    return file;
  }

  download(path) {
    return `${this.#at("filesystem", path)}?download=true`;
  }

  #at(route, path) {
    const end = path.split("/").map(encodeURIComponent).join("/");
    return `${this.#base}/${route}${end ? `/${end}` : ""}`;
  }
}

function listed(answer) {
  if (!Array.isArray(answer.data)) throw new Error("That is not a directory.");
  return answer;
}

async function ask(url, signal) {
  let response;
  try {
    response = await fetch(url, { headers: { Accept: "application/json" }, cache: "no-store", signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Error("The server cannot be reached.");
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  throw new Error(answer?.error?.message ?? `The server answered ${response.status}.`);
}
