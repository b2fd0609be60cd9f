// What was typed and is not saved: nobody leaves it without having been asked.

import { confirm } from "../components/dialog.js";
import { useLayoutEffect } from "./view.js";

/** What holds the page, one for each form with changes. @type {Set<(event: Event) => void>} */
const holds = new Set();

/** Whether leaving the page now would lose something. */
export const anyUnsaved = () => holds.size > 0;

/** Holds the page for as long as a view has changes. @param {boolean} changed */
export function useUnsaved(changed) {
  useLayoutEffect(() => {
    if (!changed) return undefined;
    const hold = (/** @type {Event} */ event) => event.preventDefault();
    holds.add(hold);
    addEventListener("beforeunload", hold);
    return () => release(hold);
  }, [changed]);
}

/** Asks before what was typed is lost. */
export const mayDiscard = () => confirm({ title: "Discard what you typed?", text: "The changes in this form are not saved.", action: "Discard", danger: true });

/** Lets the page go; somebody has been asked. */
export const releaseAll = () => [...holds].forEach(release);

/** @param {(event: Event) => void} hold */
function release(hold) {
  holds.delete(hold);
  removeEventListener("beforeunload", hold);
}
