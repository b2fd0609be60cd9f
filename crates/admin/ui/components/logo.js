import { html } from "../lib/view.js";

export function Logo() {
  return html`
    <svg class="logo" viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#4054d6" />
      <g fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round"><path d="M6 16h6" /><path d="M12 16c5 0 4-7 9-7h4" /><path d="M12 16c5 0 4 7 9 7h4" /><path d="M12 16h13" opacity=".55" /></g>
    </svg>
  `;
}
