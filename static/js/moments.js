// Addresses of moments: `#t=123.4` opens the page there. The button in the margin copies the address of the stretch
// under the pointer, or of the passage whose time has the focus.
import { list, nearest, isLoadedTo, read } from "./transcript.js";

const note = document.getElementById("note");
const button = document.getElementById("copy");
const words = button?.dataset ?? {};
let copied; // the stretch the button belongs to
let wanted; // a moment whose text is not on the page yet
let quiet;

export const address = (seconds) => `${location.origin}${location.pathname}#t=${Number(seconds.toFixed(3))}`;

/** The moment an address names, in seconds; undefined where it names none. */
export function momentOf(hash) {
  const found = /^#t=(\d+(?:\.\d+)?)$/.exec(hash);
  return found ? Number(found[1]) : undefined;
}

export function say(sentence, milliseconds = 4000) {
  if (note.textContent !== sentence) note.textContent = sentence;
  clearTimeout(quiet);
  if (milliseconds !== Infinity) quiet = setTimeout(() => (note.textContent = ""), milliseconds);
}

export async function copyLink(seconds) {
  const text = address(seconds);
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copyByHand(text)) return say(words.failed);
  }
  history.replaceState(history.state, "", text);
  say(words.done);
}

/** Without https, browsers give pages no clipboard, but copy what is selected. */
function copyByHand(text) {
  const field = document.createElement("textarea");
  const focused = document.activeElement;
  field.value = text;
  field.className = "sr-only";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return done;
}

// --- The button in the margin ----------------------------------------------------------------------------------------
function offer(element) {
  if (element === copied) return;
  copied = element;
  const passage = element.closest(".passage");
  if (button.parentElement !== passage) passage.insertBefore(button, passage.querySelector("p"));
  button.style.top = `${element.offsetTop}px`;
  button.hidden = false;
}

function offerFor(target) {
  const said = target.closest(".said") ?? target.closest(".moment")?.closest(".passage").querySelector(".said");
  if (said) offer(said); // the way from the words to the button leads over nothing that would move it
}

// --- A moment from the address ---------------------------------------------------------------------------------------
function show(go) {
  const seconds = wanted;
  const found = nearest(seconds);
  if (!list.firstElementChild) return; // nothing is written yet
  if (!isLoadedTo(seconds) || !found) return say(words.loading, Infinity);
  wanted = undefined;
  say("");
  for (const element of list.querySelectorAll(".named")) element.classList.remove("named");
  found.element.classList.add("named");
  go(seconds, found);
}

/** `go(seconds, stretch)` is called for the moment in the address, once its text is on the page, and at each change. */
export function start(go) {
  list.addEventListener("pointerover", (event) => offerFor(event.target));
  list.addEventListener("focusin", (event) => offerFor(event.target));
  list.addEventListener("click", (event) => offerFor(event.target));
  button.addEventListener("click", () => copyLink(read(copied).start));
  const follow = () => {
    wanted = momentOf(location.hash);
    if (wanted !== undefined) show(go);
  };
  document.addEventListener("transcript", () => wanted !== undefined && show(go));
  addEventListener("hashchange", follow);
  follow();
}
