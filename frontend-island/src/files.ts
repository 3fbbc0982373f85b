// From what a person dropped or chose to the files worth sending.

export interface Limits {
  limit: number; // bytes, inclusive
  extensions: readonly string[]; // lower case, without dot
}

/** Why a file is refused before anything is sent: the key of its sentence; null: it may go. */
export function refusal(file: File, limits: Limits): string | null {
  if (!isRecording(file, limits.extensions)) return "wrong_type";
  if (file.size === 0) return "empty";
  return file.size > limits.limit ? "too_large" : null;
}

/** By what the browser makes of its name. Nothing known at all may be a recorder's file: the server looks inside. */
export function isRecording(file: File, extensions: readonly string[]): boolean {
  const dot = file.name.lastIndexOf(".");
  const extension = dot > 0 ? file.name.slice(dot + 1).toLowerCase() : "";
  return /^(audio|video)\//.test(file.type) || extensions.includes(extension) || (!file.type && !extension && dot !== 0);
}

/** The same file as far as a browser can tell: chosen twice, it is one upload. */
export function isSame(one: File, other: File): boolean {
  return one.name === other.name && one.size === other.size && one.lastModified === other.lastModified;
}

export interface Picked {
  files: File[]; // chosen one by one: refused ones are said
  inFolders: File[]; // came along with a folder: what is no recording is left out
}

/** Everything in a drop, folders read to their depths. Call it in the drop event: later the entries are gone. */
export async function dropped(transfer: DataTransfer): Promise<Picked> {
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry());
  const picked: Picked = { files: [], inFolders: [] };
  const loose = [...transfer.files]; // for browsers that give no entries
  if (entries.every((entry) => entry === null)) return { ...picked, files: loose };
  for (const entry of entries) {
    if (entry?.isFile) picked.files.push(await fileOf(entry as FileSystemFileEntry));
    else if (entry) picked.inFolders.push(...(await filesIn(entry as FileSystemDirectoryEntry)));
  }
  return picked;
}

async function filesIn(folder: FileSystemDirectoryEntry): Promise<File[]> {
  const found: File[] = [];
  for (const entry of await entriesOf(folder)) {
    if (entry.isFile) found.push(await fileOf(entry as FileSystemFileEntry));
    else found.push(...(await filesIn(entry as FileSystemDirectoryEntry)));
  }
  return found;
}

/** All of them: a reader hands out a hundred at a time, and none when it is through. */
async function entriesOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const found: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found.sort((one, other) => one.name.localeCompare(other.name));
    found.push(...some);
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}
