// Says dates the way people do ("3 minutes ago", in their time zone and language); the exact moment is the title.
// What is yet to come and has the class "clock" is said as a time of the day; "day" is said as a date.
const language = document.documentElement.lang;
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const exact = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
const date = new Intl.DateTimeFormat(language, { dateStyle: "long" });
const clock = new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(language, { weekday: "short", hour: "numeric", minute: "2-digit" });
const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 7]];

function ago(moment) {
  let count = (moment - Date.now()) / 1000;
  for (const [unit, next] of STEPS) {
    if (Math.abs(count) < next) return relative.format(Math.round(count), unit);
    count /= next;
  }
  return day.format(moment);
}

function atTheClock(moment) {
  return (moment.toDateString() === new Date().toDateString() ? clock : weekday).format(moment);
}

function said(moment, classes) {
  if (classes.contains("day")) return date.format(moment);
  return classes.contains("clock") ? atTheClock(moment) : ago(moment);
}

function tell(root = document) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const text = said(moment, element.classList);
    if (element.textContent !== text) element.textContent = text;
    element.title = exact.format(moment);
  }
}

tell();
setInterval(tell, 30_000, document);
document.addEventListener("htmx:after:swap", () => tell());
