// What screen readers are told, and what is shown for a moment to everybody else.
import { makeStore } from "./store";

const SHOWN_MS = 4000;

export const announcement = makeStore({ text: "", count: 0 });
let timer = 0;

export function announce(text: string): void {
  announcement.set({ text, count: announcement.get().count + 1 });
  clearTimeout(timer);
  timer = window.setTimeout(() => announcement.set({ text: "" }), SHOWN_MS);
}
