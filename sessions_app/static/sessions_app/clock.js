/** Shows the server's times in the reader's own zone. Other modules call `localise` on what they add. */
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export function localise(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    if (element.classList.contains("clock")) element.textContent = clock.format(at);
    if (element.classList.contains("moment")) element.textContent = moment.format(at);
    if (element.title) element.title = moment.format(at);
  }
}

localise(document);
