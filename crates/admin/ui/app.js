// The page: who may see it, what is shown where, and the feed that keeps it alive.

import { askSession, call, session, signInNeeded, words } from "./lib/api.js";
import { useCell } from "./lib/cell.js";
import { begin, end, feed, useLive } from "./lib/live.js";
import { to, usePlace } from "./lib/router.js";
import { forgetAll, useResource } from "./lib/resource.js";
import { anyUnsaved, mayDiscard, releaseAll } from "./lib/unsaved.js";
import { html, render, useEffect, useRef, useState } from "./lib/view.js";
import { Button } from "./components/button.js";
import { Questions } from "./components/dialog.js";
import { Icon } from "./components/icon.js";
import { Logo } from "./components/logo.js";
import { Empty } from "./components/states.js";
import { ThemeChoice } from "./components/theme_choice.js";
import { Toasts, toast } from "./components/toast.js";
import { Channels } from "./pages/channels.js";
import { Connect } from "./pages/connect.js";
import { Login, LoginAgain } from "./pages/login.js";
import { Models } from "./pages/models.js";
import { Overview } from "./pages/overview.js";
import { Playground } from "./pages/playground.js";
import { Requests } from "./pages/requests.js";
import { Routing } from "./pages/routing.js";
import { Sessions } from "./pages/sessions.js";
import { Settings } from "./pages/settings.js";
import { Users } from "./pages/users.js";

/** @typedef {{ page: string, title: string, icon: import("./components/icon.js").IconName, view: () => any }} Entry */

/** @type {{ title: string, entries: Entry[] }[]} */
const GROUPS = [
  {
    title: "Watch",
    entries: [
      { page: "overview", title: "Overview", icon: "gauge", view: Overview },
      { page: "requests", title: "Requests", icon: "list", view: Requests },
      { page: "routing", title: "Routing", icon: "route", view: Routing },
      { page: "sessions", title: "Sessions", icon: "activity", view: Sessions },
    ],
  },
  {
    title: "Manage",
    entries: [
      { page: "channels", title: "Channels", icon: "server", view: Channels },
      { page: "models", title: "Models", icon: "boxes", view: Models },
      { page: "users", title: "Users and keys", icon: "users", view: Users },
      { page: "settings", title: "Settings", icon: "settings", view: Settings },
    ],
  },
  {
    title: "Use",
    entries: [
      { page: "playground", title: "Playground", icon: "message-square", view: Playground },
      { page: "connect", title: "Connect", icon: "plug", view: Connect },
    ],
  },
];

const ENTRIES = GROUPS.flatMap((group) => group.entries);

/** A lost feed is told only after this long: most are back at once. */
const PATIENCE = 2000;

function App() {
  const who = useCell(session);
  const again = useCell(signInNeeded);
  const [failure, setFailure] = useState(/** @type {string | null} */ (null));
  const [wasIn, setWasIn] = useState(false);
  useEffect(() => {
    const ask = () => askSession().then(() => setFailure(null), (error) => setFailure(words(error)));
    void ask();
    const clock = setInterval(() => session.get() === null && void ask(), 2000);
    return () => clearInterval(clock);
  }, []);
  const inside = who !== null && (who.signed_in || who.auth === "none");
  useEffect(() => {
    if (!inside) return;
    setWasIn(true);
    begin();
  }, [inside]);
  if (!who) {
    return html`<div class="gate"><main id="main">${failure ? html`<${Empty} icon="plug" title="No answer">${failure}<//>` : html`<span class="quiet" role="status">Loading…</span>`}</main></div>`;
  }
  if (!inside && !wasIn) return html`<${Login} version=${who.version} /><${Toasts} />`;
  return html`<${Shell} />${again && html`<${LoginAgain} />`}<${Questions} /><${Toasts} />`;
}

function Shell() {
  const place = usePlace();
  const [open, setOpen] = useState(false);
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  const entry = ENTRIES.find(({ page }) => page === place.page);
  const first = useRef(true);
  useEffect(() => {
    document.title = `${entry?.title ?? "Not found"} · OpenAI gateway`;
    setOpen(false);
    // Whoever goes to another page begins at its top; so do screen readers.
    if (!first.current) {
      scrollTo(0, 0);
      main.current?.focus({ preventScroll: true });
    }
    first.current = false;
  }, [place.page, place.id]);
  useEffect(() => {
    if (!open) return undefined;
    const close = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && setOpen(false);
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  }, [open]);
  return html`
    <button type="button" class="button skip" onClick=${() => main.current?.focus()}>Skip to content</button>
    <div class="shell">
      <button type="button" class=${`scrim ${open ? "open" : ""}`} tabindex="-1" aria-hidden="true" onClick=${() => setOpen(false)}></button>
      <${Side} page=${place.page} open=${open} />
      <div class="page">
        <div class="top">
          <button type="button" class="button plain only" aria-label="Menu" aria-expanded=${open ? "true" : "false"} onClick=${() => setOpen(!open)}><${Icon} name="menu" /></button>
          <a class="brand" href=${to("overview")}><${Logo} />${entry?.title ?? "OpenAI gateway"}</a>
        </div>
        <${Lost} />
        <main id="main" ref=${main} tabindex="-1">
          ${entry
            ? html`<${entry.view} key=${entry.page} />`
            : html`<${Empty} icon="circle-help" title="There is no such page" actions=${html`<a class="button" href=${to("overview")}>To the overview</a>`} />`}
        </main>
      </div>
    </div>
  `;
}

/** @param {{ page: string, open: boolean }} props */
function Side({ page, open }) {
  const who = useCell(session);
  const status = useResource("/api/status", { every: 15_000 });
  useLive("health", (health) =>
    status.edit((old) => ({ ...old, channels: old.channels.map((/** @type {any} */ row) => (row.id === health.channel_id ? { ...row, health } : row)) })),
  );
  const down = (status.data?.channels ?? []).filter((/** @type {any} */ row) => row.enabled && !row.health.usable).length;
  const leave = async () => {
    if (anyUnsaved() && !(await mayDiscard())) return;
    try {
      await call("POST", "/api/logout");
      end("off");
      forgetAll();
      releaseAll();
      location.reload();
    } catch (error) {
      toast("bad", words(error));
    }
  };
  return html`
    <aside class=${`side ${open ? "open" : ""}`}>
      <a class="brand" href=${to("overview")}><${Logo} />OpenAI gateway</a>
      <nav aria-label="Pages">
        ${GROUPS.map(
          (group) => html`
            <div class="nav-title">${group.title}</div>
            <div class="nav">
              ${group.entries.map(
                (entry) => html`
                  <a href=${to(entry.page)} aria-current=${entry.page === page ? "page" : undefined}>
                    <${Icon} name=${entry.icon} />${entry.title}
                    ${entry.page === "channels" && down > 0 && html`<span class="count" title=${`${down} down`}>${down}<span class="unseen"> down</span></span>`}
                  </a>
                `,
              )}
            </div>
          `,
        )}
      </nav>
      <div class="side-foot">
        <div class="spread"><${ThemeChoice} />${who?.auth === "token" && html`<${Button} kind="plain small" icon="log-out" label="Sign out" onClick=${leave} />`}</div>
        <div class="version quiet small">Version ${who?.version}</div>
      </div>
    </aside>
  `;
}

/** Says that what is shown grows old. */
function Lost() {
  const state = useCell(feed);
  const [shown, setShown] = useState(false);
  useEffect(() => {
    if (state !== "lost") {
      setShown(false);
      return undefined;
    }
    const clock = setTimeout(() => setShown(true), PATIENCE);
    return () => clearTimeout(clock);
  }, [state]);
  return html`<div role="status">${shown && html`<div class="banner"><${Icon} name="refresh-cw" spin />The gateway does not answer. What is shown here may be out of date; trying again.</div>`}</div>`;
}

const root = document.getElementById("app");
if (root) render(html`<${App} />`, root);
