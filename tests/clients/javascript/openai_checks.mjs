// What the official `openai` client for JavaScript makes of galen's answers. Each check gets {openai, zod, place}: the package, zod, and
// {plain, words, keys}: addresses of servers (run.py starts them; `words` is null without its model), with the keys of the last.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.CLIENT_PACKAGES}/package.json`);
const user = (content) => [{ role: "user", content }];
const endless = { "2": -100, "5": -100 }; // the tiny model's ends of text

export const client = ({ OpenAI }, url, options = {}) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, ...options });

/** The error that `work` must end with, an instance of `kind`. */
async function fails(kind, work) {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof kind, `${error?.constructor?.name} instead of ${kind.name}: ${error?.stack}`);
    return error;
  }
  return assert.fail(`no ${kind.name}`);
}

async function metric(url, name) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))].reduce((sum, match) => sum + Number(match[1]), 0);
}

/** Waits until nothing runs or waits there. */
async function quiet(url) {
  for (const deadline = Date.now() + 20000; ; ) {
    if ((await metric(url, "galen_requests_running")) + (await metric(url, "galen_requests_waiting")) === 0) return;
    assert.ok(Date.now() < deadline, "a client that left is still served");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function chat({ openai, place }) {
  const ai = client(openai, place.plain);
  const ask = { model: "tiny", messages: [{ role: "developer", content: "Be brief." }, ...user("Hello")], temperature: 0, max_completion_tokens: 20 };
  const { data: whole, response, request_id } = await ai.chat.completions.create({ ...ask, logprobs: true, top_logprobs: 2 }).withResponse();
  const text = whole.choices[0].message.content;
  assert.ok(text && whole.usage.total_tokens === whole.usage.prompt_tokens + whole.usage.completion_tokens);
  assert.equal(whole.choices[0].logprobs.content.length, whole.usage.completion_tokens);
  assert.equal(whole.choices[0].logprobs.content[0].top_logprobs.length, 2);
  assert.ok(request_id && request_id === response.headers.get("x-request-id") && whole._request_id === request_id);
  let streamed = "", usage = null, finish = null;
  for await (const chunk of await ai.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } })) {
    streamed += chunk.choices[0]?.delta?.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  assert.deepEqual([streamed, finish, usage], [text, whole.choices[0].finish_reason, { ...whole.usage, prompt_tokens_details: usage.prompt_tokens_details }]);
  const helper = ai.chat.completions.stream(ask);
  let pieces = "";
  helper.on("content", (piece) => (pieces += piece));
  const last = await helper.finalChatCompletion();
  assert.deepEqual([pieces, last.choices[0].message.content, await helper.finalContent()], [text, text, text]);
  const two = await ai.chat.completions.create({ ...ask, n: 2, temperature: 1, seed: 4, stop: ["\n"] });
  assert.equal(two.choices.length, 2);
}

export async function completions({ openai, place }) {
  const ai = client(openai, place.plain);
  const ask = { model: "tiny", prompt: ["a b", [2, 10, 20]], max_tokens: 3, temperature: 0 };
  const done = await ai.completions.create({ ...ask, echo: true, logprobs: 1 });
  assert.equal(done.choices.length, 2);
  assert.equal(done.choices[1].logprobs.token_logprobs[0], null);
  assert.equal(done.choices[1].logprobs.token_logprobs.length, 6);
  const texts = ["", ""];
  for await (const chunk of await ai.completions.create({ ...ask, echo: true, stream: true })) texts[chunk.choices[0].index] += chunk.choices[0].text;
  assert.deepEqual(texts, done.choices.map((choice) => choice.text));
}

export async function models({ openai, place }) {
  const ai = client(openai, place.plain);
  const names = [];
  for await (const model of ai.models.list()) names.push(model.id);
  assert.deepEqual(names, ["tiny", "acme/tiny:q8"]);
  for (const name of [...names, "tiny:latest"]) {
    assert.equal((await ai.models.retrieve(name)).id, name.replace(":latest", "")); // escaped in the path by the client
  }
  const error = await fails(openai.NotFoundError, () => ai.models.retrieve("tinny"));
  assert.ok(error.status === 404 && error.message.includes("did you mean 'tiny'"), error.message);
}

export async function embeddings({ openai, place }) {
  const ai = client(openai, place.plain);
  const coded = await ai.embeddings.create({ model: "tiny", input: ["Hello", "there"] }); // asks for base64, gives numbers
  const plain = await ai.embeddings.create({ model: "tiny", input: ["Hello", "there"], encoding_format: "float" });
  assert.deepEqual(coded.data.map((d) => d.index), [0, 1]);
  for (const [i, { embedding }] of coded.data.entries()) {
    assert.equal(embedding.length, plain.data[i].embedding.length);
    embedding.forEach((x, k) => assert.ok(Math.abs(x - plain.data[i].embedding[k]) < 1e-7));
    assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-5);
  }
  const error = await fails(openai.BadRequestError, () => ai.embeddings.create({ model: "tiny", input: "x", dimensions: 3 }));
  assert.equal(error.param, "dimensions");
}

export async function images({ openai, place }) {
  const ai = client(openai, place.plain);
  const see = (url) => ai.chat.completions.create({ model: "tiny", max_tokens: 4, temperature: 0, messages: user([
    { type: "text", text: "What is this?" }, { type: "image_url", image_url: { url, detail: "auto" } }]) });
  const blind = await ai.chat.completions.create({ model: "tiny", max_tokens: 4, temperature: 0, messages: user("What is this?") });
  assert.ok((await see(`data:image/png;base64,${place.png}`)).usage.prompt_tokens > blind.usage.prompt_tokens);
  const error = await fails(openai.BadRequestError, () => see("https://example.com/x.png"));
  assert.equal(error.param, "messages[0].content[1].image_url");
}

export async function abort({ openai, place }) {
  const ai = client(openai, place.plain);
  const long = { model: "tiny", messages: user("Count"), max_tokens: 8000, logit_bias: endless };
  await quiet(place.plain);
  let before = await metric(place.plain, "galen_requests_cancelled_total");
  const cancelled = async (what) => {
    await quiet(place.plain);
    const now = await metric(place.plain, "galen_requests_cancelled_total");
    assert.ok(now > before, `${what}: the server knows of no client that left`);
    before = now;
  };
  const stream = await ai.chat.completions.create({ ...long, stream: true });
  let pieces = 0;
  for await (const chunk of stream) if (chunk.choices[0].delta.content && ++pieces === 3) break;
  await cancelled("a loop that is left");
  const second = await ai.chat.completions.create({ ...long, stream: true });
  for await (const chunk of second) if (chunk.choices[0].delta.content) second.controller.abort();
  await cancelled("controller.abort()");
  const helper = ai.chat.completions.stream(long);
  helper.on("content", () => helper.abort());
  await fails(openai.APIUserAbortError, () => helper.done());
  await cancelled("stream().abort()");
  const signal = new AbortController();
  setTimeout(() => signal.abort(), 100);
  await fails(openai.APIUserAbortError, () => ai.chat.completions.create(long, { signal: signal.signal }));
  await cancelled("a signal, nothing streamed");
  await fails(openai.APIConnectionTimeoutError, () => ai.chat.completions.create(long, { timeout: 100 }));
  await cancelled("a timeout");
}

export async function errors({ openai, place }) {
  const ai = client(openai, place.plain);
  const ask = { model: "tiny", messages: user("Hello"), max_tokens: 4 };
  const unknown = await fails(openai.NotFoundError, () => ai.chat.completions.create({ ...ask, model: "no" }));
  assert.deepEqual([unknown.status, unknown.type, unknown.param], [404, "not_found_error", "model"]);
  const wrong = await fails(openai.BadRequestError, () => ai.chat.completions.create({ ...ask, temperature: 9, stream: true }));
  assert.deepEqual([wrong.status, wrong.type, wrong.param], [400, "invalid_request_error", "temperature"]);
  assert.equal((await fails(openai.NotFoundError, () => ai.responses.create({ model: "tiny", input: "Hello" }))).status, 404); // not there
  const shut = client(openai, "http://127.0.0.1:9");
  await fails(openai.APIConnectionError, () => shut.models.list());
}

export async function keys({ openai, place }) {
  const ask = { model: "tiny", messages: user("Hello"), max_tokens: 4 };
  const none = client(openai, place.keys);
  const denied = await fails(openai.AuthenticationError, () => none.chat.completions.create(ask));
  assert.deepEqual([denied.status, denied.type], [401, "authentication_error"]);
  const rare = client(openai, place.keys, { apiKey: place.rare });
  await rare.chat.completions.create(ask);
  for (const more of [{}, { stream: true }]) {
    const many = await fails(openai.RateLimitError, () => rare.chat.completions.create({ ...ask, ...more }));
    assert.ok(many.status === 429 && many.type === "rate_limit_error" && Number(many.headers.get("retry-after")) >= 1, many.message);
  }
  // Left to itself the client asks again after what Retry-After says: here three seconds (20 requests a minute).
  const brisk = client(openai, place.keys, { apiKey: place.brisk, maxRetries: 2 });
  for (let i = 0; i < 21; ++i) assert.ok((await brisk.chat.completions.create(ask)).choices.length);
}

const sodium = {
  type: "function",
  function: {
    name: "get_lab_value",
    description: "A laboratory value of a patient",
    parameters: {
      type: "object",
      properties: { patient: { type: "integer", minimum: 1, maximum: 999 }, test: { type: "string", enum: ["sodium", "potassium"] } },
      required: ["patient", "test"],
    },
  },
};

export async function tools({ openai, place }) {
  if (!place.words) return "left out: no model that can write JSON";
  const ai = client(openai, place.words);
  for (const model of ["words", "tagged", "llama"]) {
    const messages = user("What is the sodium of patient 7?");
    const ask = { model, messages, temperature: 0, max_tokens: 80, tools: [sodium], tool_choice: "required" };
    const first = (await ai.chat.completions.create(ask)).choices[0];
    const call = first.message.tool_calls[0];
    const { patient, test } = JSON.parse(call.function.arguments);
    assert.ok(first.message.content === null && call.function.name === "get_lab_value" && patient >= 1 && ["sodium", "potassium"].includes(test));
    const stream = ai.chat.completions.stream(ask);
    let deltas = "";
    stream.on("tool_calls.function.arguments.delta", (event) => { if (event.index === 0) deltas += event.arguments_delta; });
    const streamed = (await stream.finalChatCompletion()).choices[0];
    assert.equal(streamed.finish_reason, first.finish_reason);
    const { name, arguments: text } = streamed.message.tool_calls[0].function;
    assert.deepEqual({ name, arguments: text }, call.function);
    assert.equal(deltas, call.function.arguments);
    // The loop that the client runs for agents: call, result, and what the model makes of it.
    const results = [];
    const runner = ai.chat.completions.runTools({
      ...ask, tool_choice: { type: "function", function: { name: "get_lab_value" } },
      tools: [{ type: "function", function: { ...sodium.function, parse: JSON.parse, function: (values) => { results.push(values); return "139 mmol/L"; } } }],
    });
    assert.equal(await runner.finalFunctionToolCallResult(), "139 mmol/L");
    assert.deepEqual(results[0], { patient, test });
    const answer = await ai.chat.completions.create({ ...ask, max_tokens: 10, tool_choice: "none",
      messages: [...messages, { ...first.message, tool_calls: [call] }, { role: "tool", tool_call_id: call.id, content: "139 mmol/L" }] });
    assert.ok(answer.choices[0].message.content && !answer.choices[0].message.tool_calls);
  }
}

export async function schemas({ openai, zod, place }) {
  if (!place.words) return "left out: no model that can write JSON";
  const ai = client(openai, place.words);
  const { zodResponseFormat, zodFunction } = require(`${process.env.CLIENT_NAME}/helpers/zod`);
  const Report = zod.object({ ok: zod.boolean(), sodium: zod.number().int().min(100).max(199), kind: zod.enum(["low", "normal", "high"]), note: zod.string().max(20).nullable() });
  const ask = { model: "words", messages: user("Report"), temperature: 0, max_tokens: 200, response_format: zodResponseFormat(Report, "report") };
  const message = (await ai.chat.completions.parse(ask)).choices[0].message;
  assert.ok(message.parsed.sodium >= 100 && typeof message.parsed.ok === "boolean", message.content);
  const last = await ai.chat.completions.stream(ask).finalChatCompletion();
  assert.deepEqual(last.choices[0].message.parsed, message.parsed);
  const plain = await ai.chat.completions.create({ ...ask, response_format: { type: "json_schema", json_schema: {
    name: "flag", strict: true, schema: { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"], additionalProperties: false } } } });
  assert.equal(typeof JSON.parse(plain.choices[0].message.content).ok, "boolean");
  const called = await ai.chat.completions.parse({ ...ask, response_format: undefined, tool_choice: "required", parallel_tool_calls: false,
    tools: [zodFunction({ name: "page", description: "Page the doctor", parameters: zod.object({ urgent: zod.boolean() }) })] });
  assert.equal(typeof called.choices[0].message.tool_calls[0].function.parsed_arguments.urgent, "boolean");
  const error = await fails(openai.BadRequestError, () => ai.chat.completions.create({ ...ask, response_format: { type: "json_schema", json_schema: { name: "x", schema: { type: "nothing" } } } }));
  assert.equal(error.param, "response_format.json_schema.schema");
}
