// What fragments cannot do by themselves. The server sends rows and text as they change; here new rows find their
// place in the list, and text finds its place in time: parts of a recording are transcribed side by side, so what
// arrives last is not always what was said last.
import { list as transcript, start as startTranscript } from "./transcript.js";

const list = document.getElementById("recordings");

// --- The list: a row the page does not have yet ----------------------------------------------------------------------
// A row that is here stays until the page is loaded again, even when its new state does not fit the filter: nothing
// slips away under somebody's pointer, and how it ended can be seen. A row that is not here is added only where it fits.
function fits(row) {
  const name = row.querySelector(".row-title").textContent.toLowerCase();
  return list.dataset.states.split(" ").includes(row.dataset.state) && name.includes(list.dataset.search.toLowerCase());
}

/** The row to stand before, null for the end; undefined where it belongs to another page. */
function placeFor(row) {
  const created = Number(row.dataset.created);
  const next = [...list.children].find((other) => Number(other.dataset.created) < created);
  if (next === list.firstElementChild && list.dataset.newest === undefined) return undefined;
  return next || list.dataset.oldest !== undefined ? (next ?? null) : undefined;
}

/** The first recording: the list takes the place of the invitation. Uploads on the page go on, so it is not loaded again. */
function endInvitation() {
  for (const part of document.querySelectorAll("[data-empty]")) part.remove();
  document.getElementById("listed")?.removeAttribute("hidden");
}

const seen = new Map(); // row id -> its state, also of rows that this page does not show

function makeRoom(html) {
  const box = document.createElement("template");
  box.innerHTML = html;
  for (const row of box.content.querySelectorAll("li[id^='job-']")) {
    const here = document.getElementById(row.id);
    if ((seen.get(row.id) ?? here?.dataset.state) !== row.dataset.state) countAgain();
    seen.set(row.id, row.dataset.state);
    if (here || row.dataset.created === undefined) continue;
    endInvitation();
    const next = list && fits(row) ? placeFor(row) : undefined;
    if (next === undefined) continue;
    const place = document.createElement("li");
    place.id = row.id;
    place.dataset.created = row.dataset.created; // the next row of this message may find its place by it
    list.insertBefore(place, next);
  }
}

/** The counts of the filters, at most every second: a row that left or came may be on another page. */
let counting;
function countAgain() {
  if (counting || !document.getElementById("filters")) return;
  counting = setTimeout(() => {
    counting = undefined;
    window.htmx.ajax("GET", location.href, { target: "#filters", select: "#filters", swap: "outerHTML" });
  }, 1000);
}

// --- The transcript: text that this page missed ------------------------------------------------------------------------
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
  const sent = [...html.matchAll(/<span id="s(\d+)"/g)].map((found) => Number(found[1]));
  transcript.dataset.last = Math.max(last, ...sent);
}

if (transcript) startTranscript();

// --- The connection: its loss is said, and its return needs no click --------------------------------------------------
const root = document.documentElement;
document.addEventListener("htmx:after:ws:connection", () => (root.dataset.live = "on"));
document.addEventListener("htmx:ws:close", () => (root.dataset.live = "off"));

document.addEventListener("htmx:before:ws:message", (event) => {
  const html = event.detail.message.text;
  transcript ? hear(html) : makeRoom(html);
});
