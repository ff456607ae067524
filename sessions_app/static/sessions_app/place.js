/** Where one is in a workspace, as the query of the page's address: what is listed, and the file that is selected. */
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A path below the workspace, without segments that would lead an address elsewhere. */
export function tidy(path) {
  return (path ?? "").split("/").filter((name) => !["", ".", ".."].includes(name)).join("/");
}

export function placeOf(search) {
  const query = new URLSearchParams(search);
  const show = query.get("show") === "files" ? "files" : "changes";
  const isFiles = show === "files";
  return {
    show,
    dir: isFiles ? tidy(query.get("dir")) : "",
    q: isFiles ? (query.get("q") ?? "").trim() : "",
    file: tidy(query.get("file")),
  };
}

/** The address of a place, relative to the page. */
export function addressOf({ show = "changes", dir = "", q = "", file = "" }) {
  const query = new URLSearchParams();
  if (show === "files") query.set("show", show);
  for (const [name, value] of Object.entries({ dir, q, file })) if (value) query.set(name, value);
  return `?${query}`;
}

export function isSameList(one, other) {
  return one.show === other.show && one.dir === other.dir && one.q === other.q;
}

export function parentOf(path) {
  return path.split("/").slice(0, -1).join("/");
}

export function nameOf(path) {
  return path.split("/").at(-1);
}

/** A name as it can be read: characters that hide, or that turn others around, are shown as such. */
export function legible(name) {
  return name.replace(HIDDEN, "\ufffd");
}

export function sizeOf(bytes) {
  if (bytes === null || bytes === undefined) return "";
  if (bytes < 1024) return `${bytes} B`;
  const [unit, size] = bytes < 1024 ** 2 ? ["KiB", 1024] : bytes < 1024 ** 3 ? ["MiB", 1024 ** 2] : ["GiB", 1024 ** 3];
  return `${(bytes / size).toLocaleString("en", { maximumFractionDigits: 1 })} ${unit}`;
}
