/** Uploads an agent without leaving the page; what then shows it is the server's own rendering. */
import { localise } from "./clock.js";
import { fetchPage } from "./pages.js";
import { newKey, send } from "./send.js";

const form = document.getElementById("upload");
const alert = document.getElementById("upload-alert");
const done = document.getElementById("upload-done");

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = form.elements.bundle;
  const buttons = [...form.elements].filter((element) => element.localName === "button");
  const parts = new FormData();
  parts.set("bundle", input.files[0]);
  say("", "Uploading…");
  buttons.forEach((button) => (button.disabled = true));
  try {
    const agent = await send("/v1/agents", parts, newKey());
    input.value = "";
    await show(agent);
    say("", `${agent.name} is there, version ${agent.version}.`);
  } catch (error) {
    say(error.message, "");
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
});

function say(wrong, right) {
  alert.textContent = wrong;
  alert.hidden = !wrong;
  done.textContent = right;
}

async function show({ id }) {
  const fresh = (await fetchPage(`${form.dataset.upload}?agent=${encodeURIComponent(id)}`))?.getElementById("agents");
  if (!fresh) return;
  const agents = document.adoptNode(fresh);
  document.getElementById("agents").replaceWith(agents);
  localise(agents);
  const row = document.getElementById(`agent-${id}`);
  row?.scrollIntoView({ block: "nearest" });
  row?.querySelector("input, a")?.focus();
}
