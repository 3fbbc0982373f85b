// What the island asks of the page around it.
import { useEffect, useState } from "react";

/** The browser asks before the page is left, while it matters. */
export function useLeaveWarning(matters: boolean): void {
  useEffect(() => {
    if (!matters) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [matters]);
}

export function useOnline(): boolean {
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const look = () => setOnline(navigator.onLine);
    addEventListener("online", look);
    addEventListener("offline", look);
    return () => {
      removeEventListener("online", look);
      removeEventListener("offline", look);
    };
  }, []);
  return online;
}

/** Files dragged anywhere over the page: whether some are right now; `onDrop` gets them. */
export function usePageDrop(onDrop: (transfer: DataTransfer) => void): boolean {
  const [dragging, setDragging] = useState(false);
  useEffect(() => {
    let depth = 0; // dragenter of a child comes before dragleave of its parent
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const handlers: Record<string, (event: DragEvent) => void> = {
      dragenter: () => setDragging(++depth > 0),
      dragleave: () => setDragging(--depth > 0),
      dragover: (event) => event.preventDefault(), // or the browser would open the file
      drop: (event) => {
        event.preventDefault();
        depth = 0;
        setDragging(false);
        if (event.dataTransfer) onDrop(event.dataTransfer);
      },
    };
    const listener = (event: Event) => {
      if (hasFiles(event as DragEvent)) handlers[event.type]?.(event as DragEvent);
    };
    for (const name of Object.keys(handlers)) addEventListener(name, listener);
    return () => {
      for (const name of Object.keys(handlers)) removeEventListener(name, listener);
    };
  }, [onDrop]);
  return dragging;
}
