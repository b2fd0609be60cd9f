import { percent } from "../lib/format.js";
import { html } from "../lib/view.js";

const COLORS = 4;

/** Who gets how much, as a bar and in words. @param {{ channels: { channel_name: string | null, expected_share: number | null, admitted?: boolean }[] }} props */
export function Shares({ channels }) {
  const some = channels.filter(({ expected_share: share }) => share);
  if (some.length === 0) return html`<span class="quiet small">nobody</span>`;
  const told = some.map(({ channel_name: name, expected_share: share }) => `${name} ${percent(share)}`).join(", ");
  return html`
    <div class="shares">
      <div class="bar" role="img" aria-label=${told} title=${told}>
        ${some.map(({ expected_share: share, admitted }, index) => html`<i class=${admitted === false ? "out" : ""} style=${{ width: `${(share ?? 0) * 100}%`, "--c": `var(--series-${(index % COLORS) + 1})` }}></i>`)}
      </div>
      <div class="small quiet cut">${some.slice(0, 3).map(({ channel_name: name, expected_share: share }) => `${name} ${percent(share)}`).join(" · ")}${some.length > 3 ? ` · ${some.length - 3} more` : ""}</div>
    </div>
  `;
}
