/** Writes to the public API, each exactly once: a repeat carries the same key and gets the stored answer. */
const PAUSES = [400, 1200, 3000];

export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Posts `body`, a form as it is and all else as JSON; returns the answer, or throws an Error with a message for people. */
export async function send(url, body, key) {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await tryOnce(url, body, key);
    if (answer.ok) return answer.body;
    if (!answer.mayRepeat || attempt === PAUSES.length) throw new Error(answer.message);
    await new Promise((resolve) => setTimeout(resolve, PAUSES[attempt]));
  }
}

async function tryOnce(url, body, key) {
  const isForm = body instanceof FormData;
  const headers = { "Idempotency-Key": key, ...(isForm ? {} : { "Content-Type": "application/json" }) };
  let response;
  try {
    response = await fetch(url, { method: "POST", headers, body: isForm ? body : JSON.stringify(body) });
  } catch {
    return { ok: false, mayRepeat: true, message: "The server cannot be reached. Nothing is lost; try again." };
  }
  const answer = await response.json().catch(() => ({}));
  const error = answer.error ?? {};
  return {
    ok: response.ok,
    body: answer,
    mayRepeat: response.status === 502 || response.status === 504 || error.code === "idempotency_in_flight",
    message: error.message ?? `The server answered ${response.status}.`,
  };
}
