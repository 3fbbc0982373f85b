// The port: what the island asks of whatever carries the bytes. `tus.ts` stands behind it.
import type { Options } from "./machine";

/** Why something did not go through for good. */
export interface Refusal {
  code: string; // "signed_out" and "file_gone", for which the page has sentences; else the server's code, with detail
  detail: string;
}

export interface Hear {
  progress(sent: number): void; // bytes, counted from the beginning of the file
  lost(): void; // it goes on by itself
  done(url: string): void; // address of the recording's page
  refused(refusal: Refusal): void;
}

/** An upload under way. Nothing is heard of it after `pause` or `cancel`. */
export interface Sending {
  pause(): void; // what was sent stays with the server
  cancel(): Promise<void>; // what was sent is removed there, if it can be reached
}

/** What the server keeps of an upload that nobody finished. */
export interface Unfinished {
  id: string;
  url: string;
  title: string;
  length: number; // bytes
  offset: number; // bytes
  expires_at: string; // ISO 8601
}

export interface Transport {
  /** Begin, or go on where an earlier attempt with the same file ended: in this page, another, or after a sign-out. */
  send(file: File, options: Options, hear: Hear): Sending;
  unfinished(): Promise<Unfinished[]>;
  discard(url: string): Promise<void>;
}
