// Dialogs on the browser's own <dialog>: it keeps the focus inside, makes the rest inert, and gives the focus back.

import { cell, useCell } from "../lib/cell.js";
import { html, useEffect, useId, useLayoutEffect, useRef } from "../lib/view.js";
import { Button } from "./button.js";

/** @typedef {import("../lib/view.js").Children} Children */

/**
 * @param {object} props
 * @param {string} props.title
 * @param {string} [props.kind] drawer, wide, or nothing.
 * @param {() => void | Promise<void>} [props.onClose] Somebody wants to leave; absent: nobody may.
 * @param {Children} [props.children]
 * @param {Children} [props.footer]
 */
export function Dialog({ title, kind = "", onClose, children, footer }) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const before = useRef(/** @type {Element | null} */ (null));
  const label = useId();
  useLayoutEffect(() => {
    const dialog = box.current;
    before.current = document.activeElement;
    dialog?.showModal();
    const first = dialog?.querySelector("[data-first], .content input:not([disabled]), .content select:not([disabled]), .content textarea:not([disabled])");
    if (first instanceof HTMLElement) first.focus();
    return () => {
      dialog?.close();
      const back = before.current;
      if (back instanceof HTMLElement && back.isConnected) back.focus();
    };
  }, []);
  return html`
    <dialog
      ref=${box}
      class=${kind}
      aria-labelledby=${label}
      onCancel=${(/** @type {Event} */ event) => {
        event.preventDefault();
        if (event.target === box.current) void onClose?.();
      }}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
        // The browser lets a second Escape through, whatever the page says to the first.
        if (event.key !== "Escape" || event.defaultPrevented) return;
        event.preventDefault();
        event.stopPropagation();
        void onClose?.();
      }}
      onMouseDown=${(/** @type {MouseEvent} */ event) => {
        if (event.target === box.current && onClose) void onClose();
      }}
    >
      <header>
        <h2 id=${label}>${title}</h2>
        ${onClose && html`<${Button} kind="plain small" icon="x" label="Close" onClick=${() => void onClose()} />`}
      </header>
      ${children}
      ${footer && html`<footer>${footer}</footer>`}
    </dialog>
  `;
}

/** @typedef {{ title: string, text?: Children, action: string, danger?: boolean, answer: (yes: boolean) => void }} Question */

const question = cell(/** @type {Question | null} */ (null));

/** Asks before something happens that cannot be taken back. @param {Omit<Question, "answer">} asked @returns {Promise<boolean>} */
export function confirm(asked) {
  question.get()?.answer(false);
  return new Promise((answer) => question.set({ ...asked, answer }));
}

/** Where `confirm` asks. */
export function Questions() {
  const asked = useCell(question);
  useEffect(() => () => asked?.answer(false), [asked]);
  if (!asked) return null;
  const reply = (/** @type {boolean} */ yes) => {
    asked.answer(yes);
    question.set(null);
  };
  return html`
    <${Dialog}
      key=${asked.title}
      title=${asked.title}
      onClose=${() => reply(false)}
      footer=${html`
        <button type="button" class="button" data-first onClick=${() => reply(false)}>Cancel</button>
        <${Button} kind=${asked.danger ? "main danger" : "main"} onClick=${() => reply(true)}>${asked.action}<//>
      `}
    >
      <div class="content stack tight">${asked.text}</div>
    <//>
  `;
}
