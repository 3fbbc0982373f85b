// The player bar: our controls on a plain media element. Text and sound follow each other: a click on words goes there,
// and what is spoken is tinted and kept in view, until the reader scrolls away.
import { clock, list, read, spokenAt } from "./transcript.js";
import { copyLink, momentOf, start as startMoments } from "./moments.js";
import { startKeys } from "./keys.js";
import { momentAt, tintWord } from "./spoken.js";

const SPEED_KEY = "speed";
const OURS = 1000; // milliseconds in which a scroll is not the reader's
const FRAMES = 30;
let player = null; // the bar's elements, while there is something to play
let spoken; // the stretch that is tinted
let following = true;
let scrolling = 0; // until then, a scroll is ours

// --- Position --------------------------------------------------------------------------------------------------------
const length = () => (Number.isFinite(player.media.duration) ? player.media.duration : Number(player.seek.max));

/** Only what changed is written: on a long page every write costs a layout. */
function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tell() {
  const [now, all] = [player.media.currentTime, length()];
  const paused = player.media.paused;
  write(player.position, clock(now));
  write(player.duration, clock(all));
  set(player.seek, "max", String(all));
  if (!player.dragging) player.seek.value = now;
  set(player.seek, "aria-valuetext", `${clock(now)} / ${clock(all)}`);
  set(player.root, "data-paused", String(paused));
  set(player.toggle, "aria-label", paused ? player.toggle.dataset.play : player.toggle.dataset.pause);
  if (player.past) set(player.past, "width", ((1000 * now) / (all || 1)).toFixed(1));
  tint();
}

function tint() {
  const now = player.media.currentTime;
  if (!now && player.media.paused) return; // nobody has begun to listen
  if (spoken?.element.isConnected && now >= spoken.start && now < spoken.end) return tintWord(spoken, now);
  const found = spokenAt(now);
  tintWord(found, now);
  if (found?.element === spoken?.element) return;
  spoken?.element.classList.remove("spoken");
  found?.element.classList.add("spoken");
  spoken = found;
  if (following && !player.media.paused) bringBack();
}

function everyFrame() {
  if (player.media.paused) return;
  tint(); // the rest is told by `timeupdate`, four times a second
  requestAnimationFrame(everyFrame);
}

// --- Following -------------------------------------------------------------------------------------------------------
function isInView(element) {
  const box = element.getBoundingClientRect();
  return box.bottom > 60 && box.top < innerHeight - (player?.root.offsetHeight ?? 0);
}

/** Scrolls only where the words are not well in view already. At once: a page that glides by itself is no calm one. */
function reveal(element) {
  const { top } = element.getBoundingClientRect();
  const room = innerHeight - (player?.root.offsetHeight ?? 0);
  if (top > 0.15 * room && top < 0.7 * room) return;
  scrolling = performance.now() + OURS;
  hold(element, FRAMES);
}

/** What comes into view gets its true height and may push the words away again: hold them for some frames. */
function hold(element, frames) {
  if (!frames || performance.now() > scrolling || !element.isConnected) return;
  if (frames === FRAMES || !isInView(element)) element.scrollIntoView({ block: "center", behavior: "instant" });
  requestAnimationFrame(() => hold(element, frames - 1));
}

function bringBack() {
  if (spoken) reveal(spoken.element);
  setFollowing(true);
}

function setFollowing(on) {
  following = on;
  if (player) player.follow.hidden = on;
}

function readerScrolled() {
  if (performance.now() < scrolling || !player || !spoken) return;
  setFollowing(isInView(spoken.element));
}

// --- Acts ------------------------------------------------------------------------------------------------------------
function seek(seconds) {
  player.media.currentTime = Math.min(Math.max(0, seconds), length() || seconds);
  tell();
}

function play() {
  player.media.play().catch(() => {}); // refused or failed: the element's own events say so
}

const toggle = () => (player.media.paused ? play() : player.media.pause());

function setSpeed(rate) {
  player.speed.value = rate;
  player.media.playbackRate = Number(player.speed.value);
  try {
    localStorage.setItem(SPEED_KEY, rate);
  } catch {
    // a browser that stores nothing: the speed lasts as long as the page
  }
}

function stepSpeed(step) {
  const next = player.speed.options[player.speed.selectedIndex + step];
  if (next) setSpeed(next.value);
}

function goTo(seconds, { playing }) {
  if (!player) return;
  setFollowing(true);
  seek(seconds);
  if (playing) play();
}

const acts = {
  toggle,
  pause: () => player.media.pause(),
  back: () => goTo(player.media.currentTime - 5, {}),
  forward: () => goTo(player.media.currentTime + 5, {}),
  farBack: () => goTo(player.media.currentTime - 10, {}),
  farForward: () => goTo(player.media.currentTime + 10, {}),
  slower: () => stepSpeed(-1),
  faster: () => stepSpeed(1),
  copy: () => copyLink(spoken ? spoken.start : player.media.currentTime),
  follow: bringBack,
};

function clicked(event) {
  const moment = event.target.closest(".moment");
  const words = event.target.closest(".said");
  if (!player || event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab, as for any link
  if (moment) {
    event.preventDefault();
    history.replaceState(history.state, "", moment.hash);
    goTo(momentOf(moment.hash), { playing: true });
  } else if (words && getSelection().isCollapsed) {
    goTo(momentAt(read(words), event), { playing: true });
  }
}

// --- Begin -----------------------------------------------------------------------------------------------------------
function connect() {
  const root = document.getElementById("player");
  const media = document.getElementById("media");
  player = null;
  if (!root || !media) return;
  const part = (name) => root.querySelector(`[data-part=${name}]`);
  player = { root, media };
  for (const name of ["toggle", "position", "duration", "seek", "past", "speed", "follow", "captions", "trouble"])
    player[name] = part(name);
  for (const name of ["timeupdate", "loadedmetadata", "durationchange", "seeked", "play", "pause", "ended"])
    media.addEventListener(name, tell);
  media.addEventListener("play", everyFrame);
  media.addEventListener("error", () => (player.trouble.hidden = false));
  for (const name of ["waiting", "seeking"]) media.addEventListener(name, () => (root.dataset.waiting = ""));
  for (const name of ["playing", "canplay", "seeked", "error"])
    media.addEventListener(name, () => delete root.dataset.waiting);
  media.addEventListener("click", toggle);
  player.seek.addEventListener("pointerdown", () => (player.dragging = true));
  player.seek.addEventListener("pointerup", () => (player.dragging = false));
  player.seek.addEventListener("input", () => goTo(Number(player.seek.value), {}));
  player.speed.addEventListener("change", () => setSpeed(player.speed.value));
  player.captions?.addEventListener("click", showCaptions);
  for (const button of root.querySelectorAll("[data-act]"))
    button.addEventListener("click", () => acts[button.dataset.act]());
  restoreSpeed();
  root.dataset.ready = "";
  list.dataset.playable = "";
  tell();
}

function showCaptions() {
  const track = player.media.textTracks[0];
  track.mode = track.mode === "showing" ? "hidden" : "showing";
  player.captions.setAttribute("aria-pressed", String(track.mode === "showing"));
}

function restoreSpeed() {
  let kept = null;
  try {
    kept = localStorage.getItem(SPEED_KEY);
  } catch {
    // see setSpeed
  }
  if ([...player.speed.options].some((option) => option.value === kept)) setSpeed(kept);
}

/** The playable version is ready: the bar is fetched and put in place of the note that announced it. */
async function arrive() {
  const status = document.getElementById("status");
  if (player || status.dataset.player !== "ready") return;
  const answer = await fetch(location.pathname);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["film", "player"]) {
    const [old, made] = [document.getElementById(id), page.getElementById(id)];
    if (old && made) old.replaceWith(made);
  }
  connect();
}

/** The menu of downloads closes when something else is meant, as menus do. */
function closeMenu(event) {
  const menu = document.querySelector(".menu-box[open]");
  if (!menu || (event.type === "click" && menu.contains(event.target))) return;
  if (event.type === "keydown" && event.key !== "Escape") return;
  menu.open = false;
  if (event.type === "keydown") menu.querySelector("summary").focus();
}

connect();
for (const name of ["click", "keydown"]) document.addEventListener(name, closeMenu);
list.addEventListener("click", clicked);
addEventListener("scroll", readerScrolled, { passive: true });
for (const name of ["wheel", "touchmove"]) addEventListener(name, () => (scrolling = 0), { passive: true });
document.addEventListener("htmx:after:ws:message", arrive);
startKeys(acts, () => player);
startMoments((seconds, { element }) => {
  goTo(seconds, {});
  reveal(element);
});
