// The transcript in time order, each stretch once. Parts of a recording are transcribed side by side, so what arrives
// last is not always what was said last: every passage that is added to the page is put into its place here, and
// divided or joined by the rule of jobs/passages.py.
const PAUSE = 2;
const BREATH = 1.5;
const USUAL = 30;
const LONGEST = 120;
const ENDED = /[.!?…。！？]["'”’»)\]]*$/;
const REMEMBERED = 2; // seconds after its end a stretch still counts as spoken, unless the next one begins

export const list = document.getElementById("transcript");
const stretches = []; // {number, start, end, element} in time order
const known = new Set(); // element ids

export const clock = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${parts.join(":")}` : parts.join(":").replace(/^0/, "");
};

/** What is said at this moment, or was until just now; undefined in a pause and where the text is not loaded yet. */
export function spokenAt(seconds) {
  const found = stretches[place({ start: seconds, number: Infinity }) - 1];
  return found && seconds < found.end + REMEMBERED ? found : undefined;
}

/** The stretch at this moment, else the next one after it, else the last; undefined while there is no text. */
export function nearest(seconds) {
  return spokenAt(seconds) ?? stretches[place({ start: seconds, number: Infinity })] ?? stretches.at(-1);
}

/** Whether the text up to this moment is on the page, as far as there is any. */
export function isLoadedTo(seconds) {
  const rest = list.querySelector(".more[data-after]");
  return !rest || Number(rest.dataset.after) > seconds;
}

export const read = (element) => ({
  number: Number(element.id.slice(1)),
  start: Number(element.dataset.start),
  end: Number(element.dataset.end),
  element,
});

// --- Order -----------------------------------------------------------------------------------------------------------
const isBehind = (one, other) => one.start > other.start || (one.start === other.start && one.number > other.number);

/** How many stretches come before this one: by halving, because there may be thousands. */
function place(item) {
  let low = 0;
  let high = stretches.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBehind(stretches[middle], item)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function continues(before, after) {
  const ended = ENDED.test(before.element.textContent.trim());
  const cell = ended ? USUAL : LONGEST;
  const pause = after.start - before.end;
  return pause < (ended ? BREATH : PAUSE) && Math.floor(before.start / cell) === Math.floor(after.start / cell);
}

// --- Passages --------------------------------------------------------------------------------------------------------
const passageOf = (item) => item.element.closest(".passage");

/** A stretch and the space behind it. */
const withSpace = ({ element }) => [element, element.nextSibling].filter((node) => node && (node === element || !node.id));

function makePassage(item, nodes) {
  const passage = document.createElement("li");
  passage.className = "passage";
  const moment = document.createElement("a");
  moment.className = "moment";
  moment.href = `#t=${item.start}`;
  moment.append(document.createElement("time"));
  moment.firstChild.textContent = clock(item.start);
  const text = document.createElement("p");
  text.append(...nodes);
  passage.append(moment, text);
  return passage;
}

/** Everything of a passage from this stretch on becomes a passage of its own. */
function divide(item) {
  const nodes = [];
  for (let next = item.element; next; next = next.nextSibling) nodes.push(next);
  const first = passageOf(item);
  first.after(makePassage(item, nodes));
}

function join(first, second) {
  first.querySelector("p").append(...second.querySelector("p").childNodes);
  second.remove();
}

function insert(passage, items) {
  const at = place(items[0]);
  const [before, after] = [stretches[at - 1], stretches[at]];
  stretches.splice(at, 0, ...items);
  if (before && after && passageOf(before) === passageOf(after)) divide(after);
  // The mark of text still to be fetched stands behind the last stretch it follows: nothing is joined across it.
  const next = before && passageOf(before).nextElementSibling;
  const mark = next?.classList.contains("more") && Number(next.dataset.after) < items[0].start ? next : undefined;
  const previous = mark ?? (before && passageOf(before));
  if (!previous) list.prepend(passage);
  else if (previous.nextElementSibling !== passage) previous.after(passage);
  const follows = after && passage.nextElementSibling === passageOf(after);
  if (follows && continues(items.at(-1), after)) join(passage, passageOf(after));
  if (before && !mark && continues(before, items[0])) join(passageOf(before), passage);
}

function settle(passage) {
  const items = [];
  for (const element of passage.querySelectorAll(".said")) {
    if (known.has(element.id)) element.remove();
    else items.push(read(element));
    known.add(element.id);
  }
  if (!items.length) return passage.remove();
  if (items.every((item, index) => !index || isBehind(item, items[index - 1])) && place(items[0]) === place(items.at(-1)))
    return insert(passage, items);
  passage.remove(); // something that is here already was said between them
  for (const item of items) insert(makePassage(item, withSpace(item)), [item]);
}

/** Begin: what is on the page, and from then on what is added to it. */
export function start() {
  for (const element of list.querySelectorAll(".said")) {
    stretches.push(read(element));
    known.add(element.id);
  }
  const observer = new MutationObserver((changes) => {
    const added = changes.flatMap((change) => [...change.addedNodes]);
    for (const node of added) if (node.isConnected && node.classList?.contains("passage")) settle(node);
    observer.takeRecords(); // our own moves are no news
    document.dispatchEvent(new Event("transcript"));
  });
  observer.observe(list, { childList: true });
}
