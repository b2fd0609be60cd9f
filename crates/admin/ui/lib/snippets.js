// The same call in the words of several tools. Every value is quoted for the language it stands in.

import { session } from "./api.js";

/** Where clients find the OpenAI API of this gateway. */
export function baseUrl() {
  const who = session.get();
  if (!who || who.data_plane || !who.public_port) return `${location.origin}/v1`;
  return `${location.protocol}//${location.hostname}:${who.public_port}/v1`;
}

/** @typedef {{ name: string, text: string }} Snippet */

/** What stands where a key belongs: secrets are not written into snippets. */
export const KEY = "$GATEWAY_KEY";

/** @param {string} text */
const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** JSON is JavaScript; of Python's literals only three words differ. @param {unknown} value @param {string} [indent] @returns {string} */
function python(value, indent = "") {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  const inner = `${indent}    `;
  if (Array.isArray(value)) return `[\n${value.map((item) => `${inner}${python(item, inner)},\n`).join("")}${indent}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${python(item, inner)}`).join(", ")}}`;
  return JSON.stringify(value);
}

/** @param {Record<string, any>} body @returns {Snippet[]} */
export function chatSnippets(body) {
  const url = baseUrl();
  const { model, messages, stream, ...rest } = body;
  const named = Object.entries({ model, messages, ...(stream && { stream }), ...rest });
  return [
    {
      name: "curl",
      text: `curl -N ${shell(`${url}/chat/completions`)} \\\n  -H "Authorization: Bearer ${KEY}" \\\n  -H 'Content-Type: application/json' \\\n  -d ${shell(JSON.stringify(body, null, 2))}\n`,
    },
    {
      name: "Python",
      text: [
        "import os",
        "from openai import OpenAI",
        "",
        `client = OpenAI(base_url=${JSON.stringify(url)}, api_key=os.environ["GATEWAY_KEY"])`,
        `answer = client.chat.completions.create(`,
        ...named.map(([name, value]) => `    ${name}=${python(value, "    ")},`),
        ")",
        ...(stream ? ["for chunk in answer:", "    if chunk.choices:", '        print(chunk.choices[0].delta.content or "", end="", flush=True)'] : ["print(answer.choices[0].message.content)"]),
        "",
      ].join("\n"),
    },
    {
      name: "Node",
      text: [
        'import OpenAI from "openai";',
        "",
        `const client = new OpenAI({ baseURL: ${JSON.stringify(url)}, apiKey: process.env.GATEWAY_KEY });`,
        `const answer = await client.chat.completions.create(${JSON.stringify(Object.fromEntries(named), null, 2)});`,
        ...(stream ? ["for await (const chunk of answer) {", '  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");', "}"] : ["console.log(answer.choices[0].message.content);"]),
        "",
      ].join("\n"),
    },
  ];
}
