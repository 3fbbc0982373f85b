// What the server's page hands over, as JSON beside the island's place.
import type { Limits } from "./files";
import type { Words } from "./words";

export interface Model {
  name: string;
  translates: boolean;
  english_only: boolean;
}

export interface Choices {
  languages: [code: string, name: string][];
  models: Model[]; // empty: the server chooses
  default_model: string;
  beams: [beam: number, name: string][]; // the first one is the default
  prompt_limit?: number; // characters
  hot_words_limit?: number;
}

export interface Settings extends Limits {
  endpoint: string; // of the resumable door
  token: string; // where tokens come from
  sign_out: string; // where the sign-out form goes
  owner: string;
  accept: string; // for file inputs
  choices: Choices;
  words: Words;
}

/** Null where the page has no island. */
export function readSettings(): Settings | null {
  const found = document.getElementById("upload-island-settings");
  return found ? (JSON.parse(found.textContent) as Settings) : null;
}
