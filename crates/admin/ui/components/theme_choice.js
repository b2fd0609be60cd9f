import { html, useState } from "../lib/view.js";
import { theme } from "./chart.js";
import { Icon } from "./icon.js";

const KEY = "gateway-theme";

const CHOICES = /** @type {const} */ ([
  ["", "monitor", "As the system"],
  ["light", "sun", "Light"],
  ["dark", "moon", "Dark"],
]);

export function ThemeChoice() {
  const [chosen, setChosen] = useState(document.documentElement.dataset["theme"] ?? "");
  const choose = (/** @type {string} */ name) => {
    if (name) document.documentElement.dataset["theme"] = name;
    else delete document.documentElement.dataset["theme"];
    try {
      if (name) localStorage.setItem(KEY, name);
      else localStorage.removeItem(KEY);
    } catch {
      // Storage may be forbidden; then it lasts as long as the page.
    }
    setChosen(name);
    theme.set(theme.get() + 1);
  };
  return html`
    <div class="segments" role="group" aria-label="Theme">
      ${CHOICES.map(
        ([name, icon, label]) => html`<button type="button" aria-pressed=${chosen === name ? "true" : "false"} aria-label=${label} title=${label} onClick=${() => choose(name)}><${Icon} name=${icon} /></button>`,
      )}
    </div>
  `;
}
