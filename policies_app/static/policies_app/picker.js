// Picking another handler shows its form at once, and the name that was typed in goes along.

const switcher = document.querySelector("[data-switcher]");
const select = switcher?.querySelector("select");

if (switcher && select) {
  switcher.querySelector("button").hidden = true;
  select.addEventListener("change", () => {
    const address = new URL(location.href);
    address.searchParams.set("handler", select.value);
    const name = document.querySelector("#id_name");
    const isTyped = name && name.value !== name.defaultValue;
    if (isTyped) address.searchParams.set("name", name.value);
    location.assign(address);
  });
}
