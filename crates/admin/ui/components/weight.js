import { useAction } from "../lib/action.js";
import { html, useEffect, useRef, useState } from "../lib/view.js";

/** A weight that is changed where it stands: Enter or leaving the field saves, Escape takes it back. @param {{ value: number, label: string, disabled?: boolean, save: (value: number) => Promise<unknown> }} props */
export function Weight({ value, label, disabled = false, save }) {
  const [text, setText] = useState(String(value));
  const work = useAction();
  const given = useRef(false);
  const was = useRef(value);
  useEffect(() => {
    // What is being typed is nobody else's to change.
    setText((now) => (now === String(was.current) ? String(value) : now));
    was.current = value;
  }, [value]);
  const keep = () => {
    if (given.current || text.trim() === String(value)) return;
    given.current = true;
    // What is no number is told so by the server, as everywhere.
    const wished = /^\d+$/.test(text.trim()) ? Number(text) : /** @type {any} */ (text);
    void work.run(() => save(wished)).then(() => {
      given.current = false;
    });
  };
  return html`
    <input
      class="input small weight"
      inputmode="numeric"
      aria-label=${label}
      title="0 drains it: no new calls"
      value=${text}
      disabled=${disabled || work.busy}
      onInput=${(/** @type {any} */ event) => setText(event.target.value)}
      onBlur=${keep}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Enter") keep();
        if (event.key === "Escape") setText(String(value));
      }}
    />
  `;
}
