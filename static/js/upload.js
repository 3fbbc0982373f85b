// The plain form works without this. With it: percent, speed and time left while the file travels, refusals as
// sentences on the same page, and a way to stop.
const form = document.getElementById("upload");
const input = form.querySelector("input[type=file]");
const box = form.querySelector(".upload-state");
const line = box.querySelector("progress");
const facts = form.querySelector(".upload-facts");
const error = form.querySelector(".upload-error");
const stop = form.querySelector("[data-stop]");
const send = form.querySelector("button[type=submit]");
const words = form.dataset;
const UNITS = ["bytes", "kB", "MB", "GB", "TB"];
let request = null;

function size(count) {
  const power = Math.min(Math.floor(Math.log2(Math.max(count, 1)) / 10), UNITS.length - 1);
  const value = count / 1024 ** power;
  return `${value < 10 ? value.toFixed(1).replace(/\.0$/, "") : value.toFixed(0)} ${UNITS[power]}`;
}

function clock(seconds) {
  const whole = Math.ceil(seconds);
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${parts.join(":")}` : parts.join(":").replace(/^0/, "");
}

function refuse(sentence) {
  busy(false);
  error.textContent = sentence;
  error.hidden = false;
}

function busy(on) {
  request = on ? request : null;
  box.hidden = stop.hidden = !on;
  send.disabled = on;
  if (on) error.hidden = true;
}

function show(event, began) {
  const seconds = (performance.now() - began) / 1000;
  const speed = event.loaded / Math.max(seconds, 0.001);
  line.value = Math.floor((100 * event.loaded) / event.total);
  const rest = clock((event.total - event.loaded) / speed);
  const done = event.loaded === event.total;
  facts.textContent = done ? words.finishing : `${line.value} % · ${size(speed)}/s · ${rest} ${words.left}`;
}

function answer() {
  let said = {};
  try {
    said = JSON.parse(request.responseText);
  } catch {
    // not ours: a proxy's page, for instance
  }
  if (request.status < 300 && said.url) location.assign(said.url);
  else refuse(said.detail ?? words.refused);
}

function upload() {
  const file = input.files[0];
  if (file.size > Number(words.limit)) return refuse(words.tooLarge);
  if (!file.size) return refuse(words.empty);
  request = new XMLHttpRequest();
  const began = performance.now();
  request.upload.addEventListener("progress", (event) => show(event, began));
  request.addEventListener("load", answer);
  request.addEventListener("error", () => refuse(words.lost));
  request.addEventListener("abort", () => refuse(words.stopped));
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  line.value = 0;
  facts.textContent = "";
  busy(true);
  request.send(new FormData(form));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  upload();
});
stop.addEventListener("click", () => request?.abort());
input.addEventListener("change", () => {
  error.hidden = true;
  const file = input.files[0];
  if (file) form.querySelector(".drop-name").textContent = `${file.name} · ${size(file.size)}`;
});
addEventListener("beforeunload", (event) => {
  if (request && request.readyState < XMLHttpRequest.DONE) event.preventDefault();
});
