// Short messages about what was done or failed, told to screen readers politely.

import { cell, useCell } from "../lib/cell.js";
import { html, useEffect, useRef } from "../lib/view.js";
import { Icon } from "./icon.js";

/** @typedef {{ id: number, kind: "good" | "bad", text: string }} Message */

/** At most so many at a time, and for so long. */
const MOST = 4;
const GOOD_FOR = 5000;

const messages = cell(/** @type {Message[]} */ ([]));
let next = 0;

/** @param {"good" | "bad"} kind @param {string} text */
export function toast(kind, text) {
  const id = (next += 1);
  const others = messages.get().filter((message) => message.text !== text);
  messages.set([...others, { id, kind, text }].slice(-MOST));
  // A failure stays until it was read.
  if (kind === "good") setTimeout(() => drop(id), GOOD_FOR);
}

/** @param {number} id */
const drop = (id) => messages.set(messages.get().filter((message) => message.id !== id));

export function Toasts() {
  const shown = useCell(messages);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    // Shown anew, it stands above a dialog that was opened meanwhile.
    if (!box.current?.showPopover) return;
    if (box.current.matches(":popover-open")) box.current.hidePopover();
    if (shown.length) box.current.showPopover();
  }, [shown]);
  return html`
    <div class="toasts" popover="manual" role="status" aria-live="polite" ref=${box}>
      ${shown.map(
        ({ id, kind, text }) => html`
          <div class=${`toast ${kind}`} key=${id}>
            <${Icon} name=${kind === "good" ? "circle-check" : "circle-alert"} />
            <div>${text}</div>
            <button type="button" class="button plain small only" aria-label="Dismiss" onClick=${() => drop(id)}><${Icon} name="x" /></button>
          </div>
        `,
      )}
    </div>
  `;
}
