// Light or dark: what the system prefers, unless the person has switched.
import { makeStore } from "./store";

const SLOT = "galen.theme";
const query = matchMedia("(prefers-color-scheme: dark)");

export type Theme = "light" | "dark";
export const theme = makeStore<{ shown: Theme }>({ shown: "light" });

function apply(): void {
  const chosen = localStorage.getItem(SLOT);
  const shown: Theme = chosen === "light" || chosen === "dark" ? chosen : query.matches ? "dark" : "light";
  document.documentElement.dataset.theme = shown;
  theme.set({ shown });
}

export function startTheme(): void {
  query.addEventListener("change", apply);
  apply();
}

export function switchTheme(): void {
  const next: Theme = theme.get().shown === "dark" ? "light" : "dark";
  const system: Theme = query.matches ? "dark" : "light";
  // Back at what the system prefers, the page follows the system again.
  if (next === system) localStorage.removeItem(SLOT);
  else localStorage.setItem(SLOT, next);
  apply();
}
