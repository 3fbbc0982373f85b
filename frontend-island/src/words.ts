// The page's sentences, translated on the server, and figures in the page's language.

export type Words = Readonly<Record<string, string>>;
export type Say = (key: string, values?: Readonly<Record<string, string | number>>) => string;

/** Sentences by their key, with {names} filled in; a key the server did not send is shown itself. */
export function speaker(words: Words): Say {
  return (key, values = {}) =>
    (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

export function size(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), UNITS.length - 1);
  const value = bytes / 1024 ** power;
  const digits = value < 10 ? 1 : 0;
  return `${new Intl.NumberFormat(language(), { maximumFractionDigits: digits }).format(value)} ${UNITS[power]}`;
}

/** Seconds as 0:09, 12:05 or 1:02:03. */
export function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${parts.join(":")}` : parts.join(":").replace(/^0/, "");
}

export function moment(iso: string): string {
  return new Date(iso).toLocaleString(language(), { dateStyle: "medium", timeStyle: "short" });
}

function language(): string {
  return document.documentElement.lang || "en";
}
