// What fragments cannot do by themselves. The server sends rows and text as they change; here new rows find their
// place in the list, and text finds its place in time: parts of a recording are transcribed side by side, so what
// arrives last is not always what was said last.
const list = document.getElementById("recordings");
const transcript = document.getElementById("transcript");

// --- The list: a row the page does not have yet ----------------------------------------------------------------------
function makeRoom(html) {
  const box = document.createElement("template");
  box.innerHTML = html;
  for (const row of box.content.querySelectorAll("li[id^='job-'][data-created]")) {
    if (document.getElementById(row.id)) continue;
    for (const invitation of document.querySelectorAll("[data-empty]")) invitation.remove();
    const newest = Number(list?.firstElementChild?.dataset.created ?? 0);
    if (list?.dataset.newest === undefined || Number(row.dataset.created) < newest) continue;
    const place = document.createElement("li");
    place.id = row.id;
    list.prepend(place);
  }
}

// --- The transcript: in time order, each stretch once ----------------------------------------------------------------
const known = new Map(); // element id -> element

function comesBefore(other, item) {
  // The mark of text still to be fetched stands behind the last stretch it follows; one without a time counts for nothing.
  if (other.classList.contains("more")) return Number(other.dataset.after) < Number(item.dataset.start);
  return Number(other.dataset.start) <= Number(item.dataset.start);
}

function settle(item) {
  const twin = known.get(item.id);
  if (twin && twin !== item) twin.remove();
  known.set(item.id, item);
  let before = transcript.lastElementChild;
  while (before && (before === item || !comesBefore(before, item))) before = before.previousElementSibling;
  if (item.previousElementSibling === before) return;
  before ? before.after(item) : transcript.prepend(item);
}

function hear(html) {
  const [, run] = /id="status" data-run="([^"]*)"/.exec(html) ?? [];
  const [, before] = /<ol id="transcript" data-before="(\d+)"/.exec(html) ?? [, 0];
  if (run === undefined) return;
  if (run !== transcript.dataset.run) return location.reload(); // run again: another transcript
  const last = Number(transcript.dataset.last); // the highest id this page has or is about to fetch
  if (last < Number(before)) {
    // Text was stored while nobody listened, more than one message carries: fetch what lies between.
    const source = `${transcript.dataset.source}?run=${run}&newer=${last}`;
    window.htmx.ajax("GET", source, { target: "#transcript", swap: "beforeend" });
  }
  const sent = [...html.matchAll(/<li id="s(\d+)"/g)].map((found) => Number(found[1]));
  transcript.dataset.last = Math.max(last, ...sent);
}

if (transcript) {
  for (const item of transcript.querySelectorAll("li[data-start]")) known.set(item.id, item);
  new MutationObserver((changes) => {
    for (const change of changes)
      for (const node of change.addedNodes) if (node.dataset?.start && node.isConnected) settle(node);
  }).observe(transcript, { childList: true });
}

// --- The connection: its loss is said, and its return needs no click --------------------------------------------------
const root = document.documentElement;
document.addEventListener("htmx:after:ws:connection", () => (root.dataset.live = "on"));
document.addEventListener("htmx:ws:close", () => (root.dataset.live = "off"));

document.addEventListener("htmx:before:ws:message", (event) => {
  const html = event.detail.message.text;
  transcript ? hear(html) : makeRoom(html);
});
