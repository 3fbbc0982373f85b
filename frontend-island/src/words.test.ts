import { expect, it } from "vitest";
import { clock, size, speaker } from "./words";

it("fills in names, and shows a key without a sentence itself", () => {
  const say = speaker({ left: "{time} left of {all}" });
  expect(say("left", { time: "0:09" })).toBe("0:09 left of {all}");
  expect(say("unknown")).toBe("unknown");
});

it.each([[0, "0 bytes"], [1000, "1,000 bytes"], [1536, "1.5 kB"], [12 << 20, "12 MB"], [1 << 30, "1 GB"]])("%d bytes are %s", (bytes, said) => {
  expect(size(bytes)).toBe(said);
});

it("writes figures the way of the page's language", () => {
  document.documentElement.lang = "de";
  expect(size(1536)).toBe("1,5 kB");
  document.documentElement.lang = "";
});

it.each([[8.2, "0:09"], [725, "12:05"], [3723, "1:02:03"]])("%d seconds are %s", (seconds, said) => {
  expect(clock(seconds)).toBe(said);
});
