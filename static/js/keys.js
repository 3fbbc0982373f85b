// Keys for the player. They do nothing while somebody types or a control has its own use for them, and can be switched
// off: single keys get in the way of speech input.
const OFF = "keys-off";
const KEYS = {
  " ": "toggle",
  k: "pause",
  j: "farBack",
  l: "farForward",
  ArrowLeft: "back",
  ArrowRight: "forward",
  ",": "slower",
  ".": "faster",
  c: "copy",
  f: "follow",
};
const TYPING = "input:not([type=range], [type=checkbox]), textarea, select, [contenteditable]";
const PRESSED_BY_SPACE = "button, a, summary, input, [role=button]";
const dialog = document.getElementById("keys");
const choice = dialog?.querySelector("input");

function stored() {
  try {
    return localStorage.getItem(OFF) !== null;
  } catch {
    return false; // a browser that stores nothing
  }
}

function store(off) {
  try {
    off ? localStorage.setItem(OFF, "") : localStorage.removeItem(OFF);
  } catch {
    // it holds until the page is left
  }
}

function isTaken(event) {
  const { key, target } = event;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return true;
  if (document.querySelector("dialog[open], :popover-open") || target.closest?.(TYPING)) return true;
  return key === " " && Boolean(target.closest?.(PRESSED_BY_SPACE));
}

/** `acts` by name; `playing()` is falsy while there is nothing to play. */
export function startKeys(acts, playing) {
  if (!dialog) return;
  choice.checked = !stored();
  choice.addEventListener("change", () => store(!choice.checked));
  for (const button of document.querySelectorAll("[data-keys]"))
    button.addEventListener("click", () => dialog.showModal());
  document.addEventListener("keydown", (event) => {
    if (isTaken(event) || !choice.checked || !playing()) return;
    if (event.key === "?") return dialog.showModal();
    const act = KEYS[event.key];
    if (!act || (event.shiftKey && event.key.length > 1)) return; // shift and an arrow selects
    event.preventDefault();
    acts[act]();
  });
}
