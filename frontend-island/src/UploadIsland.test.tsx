import { cleanup, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { act } from "react";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DEFAULTS, type Options } from "./machine";
import type { Settings } from "./settings";
import type { Hear, Transport, Unfinished } from "./transport";
import { UploadIsland } from "./UploadIsland";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

const SETTINGS: Settings = {
  endpoint: "", token: "", sign_out: "", owner: "alice", limit: 100, extensions: ["mp3"], accept: "audio/*",
  choices: {
    languages: [["en", "English"], ["de", "German"]],
    models: [
      { name: "small", translates: true, english_only: false },
      { name: "turbo", translates: false, english_only: false },
    ],
    default_model: "small",
    beams: [[1, "Quick"], [5, "Thorough"]],
    prompt_limit: 800,
    hot_words_limit: 400,
  },
  words: { pause_named: "Pause {name}", resume_named: "Go on with {name}", cancel_named: "Cancel {name}", remove_named: "Remove {name}",
    retry_named: "Try {name} again", too_large: "Larger than {limit}.", said_quarter: "{name} {percent}", discard_named: "Discard {name}" },
};

interface Sent {
  file: File;
  options: Options;
  hear: Hear;
  log: string[];
}

/** A transport by hand: the test says what the server would. */
class ByHand implements Transport {
  sent: Sent[] = [];
  kept: Unfinished[] = [];
  discarded: string[] = [];

  send(file: File, options: Options, hear: Hear) {
    const one: Sent = { file, options, hear, log: [] };
    this.sent.push(one);
    return { pause: () => void one.log.push("pause"), cancel: async () => void one.log.push("cancel") };
  }
  unfinished = async () => this.kept;
  discard = async (url: string) => void this.discarded.push(url);
}

let transport: ByHand;
beforeEach(() => {
  transport = new ByHand();
});
afterEach(cleanup);

const file = (name: string, size = 100) => new File([new Uint8Array(size)], name, { type: "audio/mpeg" });
const input = () => document.querySelector<HTMLInputElement>("input[type=file]")!;
const row = (name: string) => within(screen.getByText(name, { selector: ".upload-name *" }).closest("li")!);
const states = () => [...document.querySelectorAll<HTMLElement>(".uploads > li")].map((one) => one.dataset.state);
const log = () => screen.getByRole("log").textContent;

async function open(quiet = false) {
  await act(async () => void render(<UploadIsland settings={SETTINGS} transport={transport} quiet={quiet} />));
}

async function hear(index: number, tell: (hear: Hear) => void) {
  await act(async () => tell(transport.sent[index]!.hear));
}

describe("the island", () => {
  it("sends two at a time, the next one when one is done, and leads to the recording", async () => {
    await open();
    await userEvent.upload(input(), [file("a.mp3"), file("b.mp3"), file("c.mp3")]);
    expect(states()).toEqual(["starting", "starting", "waiting"]);
    await hear(0, (one) => one.progress(50));
    expect(row("a.mp3").getByRole("progressbar").getAttribute("value")).toBe("50");
    expect(log()).toContain("a.mp3 50");
    await hear(0, (one) => one.done("/jobs/1/"));
    expect(states()).toEqual(["done", "starting", "starting"]);
    expect(screen.getByRole("link", { name: "a.mp3" }).getAttribute("href")).toBe("/jobs/1/");
  });

  it("refuses with a sentence and sends nothing", async () => {
    await open();
    await userEvent.upload(input(), file("big.mp3", 101));
    expect(row("big.mp3").getByText("Larger than 100 bytes.")).toBeTruthy();
    expect(log()).toContain("said_problem");
    expect(transport.sent).toEqual([]);
    await userEvent.click(screen.getByRole("button", { name: "Remove big.mp3" }));
    expect(states()).toEqual([]);
  });

  it("takes a file once while it is under way, and goes on with it when it is chosen again in a pause", async () => {
    await open();
    const talk = file("talk.mp3");
    await userEvent.upload(input(), talk);
    await userEvent.upload(input(), talk);
    expect(states()).toEqual(["starting"]);
    await userEvent.click(screen.getByRole("button", { name: "Pause talk.mp3" }));
    expect([states(), transport.sent[0]!.log]).toEqual([["paused"], ["pause"]]);
    await userEvent.upload(input(), talk);
    expect([states(), transport.sent.length]).toEqual([["starting"], 2]);
  });

  it("cancels for good, and tries again what was refused", async () => {
    await open();
    await userEvent.upload(input(), [file("a.mp3"), file("b.mp3")]);
    await userEvent.click(screen.getByRole("button", { name: "Cancel a.mp3" }));
    await hear(1, (one) => one.refused({ code: "full", detail: "No room." }));
    expect([states(), transport.sent[0]!.log]).toEqual([["cancelled", "failed"], ["cancel"]]);
    expect(row("b.mp3").getByText("No room.")).toBeTruthy();
    await userEvent.click(screen.getByRole("button", { name: "Try b.mp3 again" }));
    expect(states()).toEqual(["cancelled", "starting"]);
  });

  it("says that the connection is lost, and that the person is signed out", async () => {
    await open();
    await userEvent.upload(input(), file("a.mp3"));
    await hear(0, (one) => one.lost());
    expect(row("a.mp3").getByText("retrying")).toBeTruthy();
    await hear(0, (one) => one.refused({ code: "signed_out", detail: "" }));
    expect(row("a.mp3").getByText("signed_out")).toBeTruthy();
  });

  it("warns before the page is left only while something is under way", async () => {
    const warns = () => !dispatchEvent(new Event("beforeunload", { cancelable: true }));
    await open();
    expect(warns()).toBe(false);
    await userEvent.upload(input(), file("a.mp3"));
    expect(warns()).toBe(true);
    await hear(0, (one) => one.done("/jobs/1/"));
    expect(warns()).toBe(false);
  });

  it("asks a model only for what it can, and the default model without its name", async () => {
    await open();
    await userEvent.selectOptions(screen.getByLabelText("language"), "de");
    await userEvent.click(screen.getByLabelText("translate"));
    await userEvent.upload(input(), file("a.mp3"));
    await userEvent.selectOptions(screen.getByLabelText("model"), "turbo");
    expect(screen.queryByLabelText("translate")).toBeNull();
    await userEvent.upload(input(), file("b.mp3"));
    expect(transport.sent.map(({ options }) => options)).toEqual([
      { ...DEFAULTS, language: "de", task: "translate" },
      { ...DEFAULTS, language: "de", model: "turbo" },
    ]);
  });

  it("asks for what is written under more options", async () => {
    await open();
    await userEvent.selectOptions(screen.getByLabelText("recognition"), "Thorough");
    await userEvent.type(screen.getByLabelText(/^hot_words/), "Łódź, NVMe");
    await userEvent.type(screen.getByLabelText(/^prompt/), "A talk.");
    await userEvent.upload(input(), file("a.mp3"));
    expect(transport.sent[0]!.options).toEqual({ ...DEFAULTS, beam: "5", hot_words: "Łódź, NVMe", prompt: "A talk." });
  });

  it("shows what the server kept until its file is chosen, or it is discarded", async () => {
    const kept = { id: "1", url: "/u/1", title: "old.mp3", length: 100, offset: 40, expires_at: "2026-01-01T00:00:00Z" };
    transport.kept = [kept, { ...kept, id: "2", url: "/u/2", title: "other.mp3" }];
    await open(true);
    await userEvent.click(screen.getByRole("button", { name: "Discard other.mp3" }));
    expect(transport.discarded).toEqual(["/u/2"]);
    await userEvent.upload(input(), file("old.mp3"));
    expect([states(), document.querySelector(".unfinished")]).toEqual([["starting"], null]);
  });
});
