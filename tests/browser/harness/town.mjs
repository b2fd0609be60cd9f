// A gateway as it is in use: channels of every standing, models, users, and calls that went well and did not.

import { Upstream } from "./upstream.mjs";

const WORDS = "The answer comes piece by piece through the gateway, from whichever channel is best for this conversation.".split(/(?= )/);

/** @param {import("./gateway.mjs").Gateway} gateway */
export async function settle(gateway) {
  const models = ["gpt-4o", "gpt-4o-mini", "o4-mini", "text-embedding-3-small"];
  const fast = await Upstream.start(models, { pieces: WORDS, first: 60, gap: 8 });
  const slow = await Upstream.start(models, { pieces: WORDS, first: 180, gap: 14 });
  const moody = await Upstream.start(models, { pieces: WORDS, first: 90, gap: 6 });
  const dead = await Upstream.start(models);
  const channels = {
    fast: await gateway.channel("openai-main", fast, ["gpt-4o", "gpt-4o-mini", "text-embedding-3-small"], { weight: 30 }),
    slow: await gateway.channel("azure-sweden", slow, ["gpt-4o", "gpt-4o-mini"], { weight: 10, max_concurrency: 200 }),
    moody: await gateway.channel("vllm-rack-3", moody, ["gpt-4o-mini"], { weight: 10, probe: "off" }),
    dead: await gateway.channel("groq-trial", dead, ["o4-mini", "gpt-4o-mini"], { weight: 5 }),
    off: await gateway.channel("openai-old", fast, ["gpt-4o"], { enabled: false }),
    spare: await gateway.channel("local-llama", slow, ["gpt-4o-mini"], { weight: 10, tier: 1, add_cache_key: true }),
  };
  const users = [];
  for (const name of ["team-search", "team-support", "nightly-batch", "mobile-app"]) users.push(await gateway.user(name));
  users.push(await gateway.user("interns", { allowed_models: ["gpt-4o-mini"] }));
  await Promise.all(["fast", "slow", "dead"].map((name) => gateway.healthy(channels[name].id)));
  await dead.die();
  await gateway.healthy(channels.dead.id, false);
  return { channels, users, upstreams: { fast, slow, moody, dead }, close: () => Promise.all([fast, slow, moody].map((one) => one.die())) };
}

/** Calls of several conversations until it is told to stop; every so often the moody channel fails. @param {AbortSignal} stop */
export async function traffic(gateway, town, stop) {
  let made = 0;
  const talker = async (index) => {
    while (!stop.aborted) {
      made += 1;
      const user = town.users[(index + made) % town.users.length];
      const model = user.name === "interns" || made % 3 ? "gpt-4o-mini" : "gpt-4o";
      town.upstreams.moody.script = made % 7 ? { pieces: WORDS, first: 90, gap: 6 } : { status: 503, message: "The server is overloaded." };
      const body = { model, stream: made % 4 !== 0, prompt_cache_key: `conversation-${made % 12}`, stream_options: undefined };
      await gateway.chat(user.api_key, body.stream ? { ...body, stream_options: { include_usage: true } } : body);
      if (made % 19 === 0) await gateway.chat(user.api_key, { model: "gpt-5-imaginary" });
      // The pace rises and falls as it does where people are.
      await new Promise((done) => setTimeout(done, 150 + 140 * Math.sin(performance.now() / 9000)));
    }
  };
  await Promise.all(Array.from({ length: 4 }, (_, index) => talker(index)));
}
