/** The session page: the stream's events on one side, the transcript, status line and composer on the other. */
import { answerQuestions } from "./approval.js";
import { localise } from "./clock.js";
import { Composer } from "./composer.js";
import { Family, refreshAgent } from "./family.js";
import { Notices } from "./notices.js";
import { fetchPage } from "./pages.js";
import { Stream } from "./stream.js";
import { Transcript } from "./transcript.js";

const WORDS = { idle: "Idle", running: "Running", waiting: "Waiting", failed: "Failed" };
const LINES = { idle: "Ready.", running: "Working…" };
const HIDDEN_LIMIT = 30_000;
const NEAR_END = 120;

const page = document.getElementById("main");
const strip = document.getElementById("strip");
const latest = document.getElementById("latest");
const sessionId = page.dataset.session;
const root = document.getElementById("transcript");
const base = `/c/${sessionId}`;
const transcript = new Transcript({ root, base, agent: page.dataset.agent });
const notices = new Notices(document.getElementById("notices"));
const family = new Family({ base, onChange: () => page.dataset.status === "waiting" && say(family.line) });
const composer = new Composer({
  sessionId,
  form: document.getElementById("composer"),
  alert: document.getElementById("alert"),
});
answerQuestions(root, (message) => composer.say(message));

function say(text) {
  if (strip.textContent !== text) strip.textContent = text;
}

function lineOf(status) {
  return status === "waiting" ? family.line : (LINES[status] ?? "");
}

function showStatus({ status, error }) {
  // A turn that begins tells anew what it has to do without.
  if (status === "running" && page.dataset.status !== "running") notices.clear();
  page.dataset.status = status;
  const badge = page.querySelector(".session__line .status");
  badge.dataset.status = status;
  badge.querySelector(".status__word").textContent = WORDS[status] ?? status;
  showTitle();
  say(status === "failed" ? failureLine(error) : lineOf(status));
  if (status === "waiting") family.changed();
  if (status !== "running") following(() => transcript.settle());
}

function failureLine(error) {
  return `The last turn failed${error?.message ? `: ${error.message}` : "."}`;
}

function showTitle(title) {
  const heading = document.getElementById("title");
  if (title) heading.textContent = title;
  const mark = page.dataset.status === "running" ? "● " : "";
  document.title = `${mark}${heading.textContent} · Omnigent`;
}

function showFact(name, text) {
  for (const element of page.querySelectorAll(`[data-fact=${name}]`)) element.textContent = text;
}

function showUsage({ context_tokens: used, context_window: size }) {
  if (used === null || used === undefined) return;
  showFact("context", size ? `${used.toLocaleString("en")} of ${size.toLocaleString("en")} tokens` : `${used.toLocaleString("en")} tokens`);
  page.querySelector("[data-context]").hidden = false;
}

/** Runs `change` and stays at the end of the transcript when the reader was there. */
async function following(change) {
  const wasNear = isNearEnd();
  const pending = change();
  if (wasNear) toEnd();
  await pending;
  if (wasNear) toEnd();
  latest.hidden = isNearEnd();
}

function isNearEnd() {
  const view = document.scrollingElement;
  return view.scrollHeight - view.scrollTop - view.clientHeight < NEAR_END;
}

function toEnd() {
  document.scrollingElement.scrollTop = document.scrollingElement.scrollHeight;
}

function reload() {
  // A server that resets every stream must not make the page reload in a circle.
  const last = Number(sessionStorage.getItem("reset") ?? 0);
  sessionStorage.setItem("reset", String(Date.now()));
  setTimeout(() => location.reload(), Date.now() - last < 5000 ? 5000 : 0);
}

function consumed({ data }) {
  if (data.type !== "message" || data.data?.role !== "user") return transcript.finish({ id: data.item_id, type: data.type });
  return transcript.addUser(data.item_id, data.data);
}

function finished({ item }) {
  if (item.type === "function_call") say(`Running ${item.name}…`);
  if (item.type === "function_call_output") say(LINES.running);
  return transcript.finish(item);
}

function retrying({ attempt, max_attempts: most, delay_seconds: delay, error }) {
  const count = most ? ` (attempt ${attempt} of ${most})` : "";
  say(`The model did not answer; trying again${delay ? ` in ${Math.ceil(delay)} s` : ""}${count}. ${error?.message ?? ""}`);
}

function agentChanged({ agent_name: name }) {
  refreshAgent(base);
  if (name) showFact("agent", name);
  notices.add(`The agent changed${name ? `: ${name}` : ""}. The next turn runs on it as it is now.`);
}

function compaction(text) {
  transcript.compacted();
  say(text);
}

const shown = (change) => (event) => following(() => change(event));
const handlers = {
  "stream.reset": reload,
  "session.status": showStatus,
  "session.title": ({ title }) => showTitle(title),
  "session.model": ({ model }) => showFact("model", model),
  "session.usage": showUsage,
  "session.agent_changed": agentChanged,
  "session.created": () => family.changed(),
  "session.child_session.updated": () => family.changed(),
  "session.interrupted": () => say("Interrupting…"),
  "session.input.consumed": shown(consumed),
  "response.in_progress": () => say(LINES.running),
  "response.reasoning.started": () => say("Thinking…"),
  "response.reasoning_text.delta": shown(({ delta }) => transcript.addReasoning(delta)),
  "response.reasoning_summary_text.delta": shown(({ delta }) => transcript.addReasoning(delta)),
  "response.output_text.delta": shown(({ delta, message_id: id }) => {
    say("Writing…");
    transcript.addText(delta, id);
  }),
  "response.function_call_output.delta": shown(({ call_id: id, delta }) => transcript.addCallOutput(id, delta)),
  "response.output_item.done": shown(finished),
  "response.elicitation_request": shown(({ elicitation_id: id }) => {
    say("Waiting for your answer.");
    return transcript.ask(id);
  }),
  "response.elicitation_resolved": ({ elicitation_id: id }) => {
    if (page.dataset.status === "running") say(LINES.running);
    transcript.resolve(id);
  },
  "response.retry": retrying,
  "response.error": shown(({ error }) => notices.add(error?.message ?? "Something is not available.")),
  "response.compaction.in_progress": shown(() => {
    say("Summarising the conversation…");
    transcript.compacting();
  }),
  "response.compaction.completed": shown(() => compaction(lineOf(page.dataset.status))),
  "response.compaction.failed": shown(() => compaction("The conversation could not be summarised; it is unchanged.")),
};

const stream = new Stream({
  url: `/v1/sessions/${sessionId}/stream`,
  after: page.dataset.after,
  handlers,
  onState: (state) => {
    page.dataset.connection = state;
    if (state === "lost") say("Connection lost. Reconnecting…");
    else if (strip.textContent.startsWith("Connection lost")) say(lineOf(page.dataset.status));
  },
});

let hiddenTimer = 0;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiddenTimer);
  if (!document.hidden) {
    if (!stream.isOpen) stream.open();
    return;
  }
  // Browsers allow few connections per server: a tab nobody looks at gives its own back once nothing runs.
  hiddenTimer = setTimeout(() => {
    if (document.hidden && !["running", "waiting"].includes(page.dataset.status)) stream.close();
  }, HIDDEN_LIMIT);
});
addEventListener("pagehide", () => stream.close());
addEventListener("pageshow", (event) => event.persisted && stream.open());
addEventListener("scroll", () => (latest.hidden = isNearEnd()), { passive: true });
latest.addEventListener("click", (event) => {
  event.preventDefault();
  toEnd();
});

root.addEventListener("click", async (event) => {
  const more = event.target.closest("[data-more]");
  if (!more) return;
  event.preventDefault();
  const response = await fetch(more.href, { cache: "no-store" });
  if (!response.ok) return;
  more.closest(".output").querySelector(".output__text").textContent = await response.text();
  more.remove();
});

document.getElementById("earlier")?.addEventListener("click", async function earlier(event) {
  event.preventDefault();
  const link = event.currentTarget;
  const older = await fetchPage(link.href);
  if (!older) return;
  const view = document.scrollingElement;
  const fromEnd = view.scrollHeight - view.scrollTop;
  const entries = [...older.querySelectorAll("#transcript > .entry")].map((entry) => document.adoptNode(entry));
  link.parentElement.after(...entries);
  localise(root);
  const next = older.getElementById("earlier");
  if (next) link.href = next.href;
  else link.parentElement.remove();
  view.scrollTop = view.scrollHeight - fromEnd;
});

toEnd();
showTitle();
stream.open();
