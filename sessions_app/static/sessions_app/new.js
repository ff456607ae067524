/** The new-session form: one submission at a time, Ctrl or Cmd + Enter starts. */
const form = document.getElementById("new");
const button = document.getElementById("create");

form?.addEventListener("submit", () => {
  button.disabled = true;
  button.textContent = "Starting…";
});
form?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) form.requestSubmit();
});
// A page that comes back from the browser's history is ready for another try.
addEventListener("pageshow", () => {
  if (!button) return;
  button.disabled = false;
  button.textContent = "Start session";
});
