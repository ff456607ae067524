/** Answers the questions that a session asks; the stream then takes them off the page. */
import { newKey, send } from "./send.js";

export function answerQuestions(root, onError) {
  root.addEventListener("submit", async (event) => {
    const form = event.target.closest("[data-elicitation]");
    if (!form) return;
    event.preventDefault();
    const action = event.submitter?.value ?? "accept";
    const url = `/v1/sessions/${form.dataset.session}/elicitations/${encodeURIComponent(form.dataset.elicitation)}/resolve`;
    const body = action === "accept" ? { action, content: contentOf(form) } : { action };
    const buttons = form.querySelectorAll("button");
    buttons.forEach((button) => (button.disabled = true));
    try {
      await send(url, body, newKey());
      form.remove();
    } catch (error) {
      buttons.forEach((button) => (button.disabled = false));
      onError(error.message);
    }
  });
}

function contentOf(form) {
  const content = {};
  for (const input of form.querySelectorAll("[name^='content.']")) {
    content[input.name.slice("content.".length)] = valueOf(input);
  }
  return content;
}

function valueOf(input) {
  if (input.type === "number") return input.valueAsNumber;
  if (input.value === "true" || input.value === "false") return input.value === "true";
  return input.value;
}
