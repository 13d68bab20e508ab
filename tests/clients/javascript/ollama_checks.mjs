// The official `ollama` client for JavaScript.
import assert from "node:assert/strict";

export async function ollama({ Ollama, place }) {
  const client = new Ollama({ host: place.plain });
  assert.deepEqual((await client.list()).models.map((model) => model.name), ["tiny", "acme/tiny:q8"]);
  const shown = await client.show({ model: "tiny" });
  assert.ok(shown.details.family === "gemma3" && shown.capabilities.includes("vision"));
  const ask = { model: "tiny", messages: [{ role: "user", content: "Hello" }], options: { temperature: 0, num_predict: 16 } };
  const whole = await client.chat(ask);
  assert.ok(whole.done && whole.eval_count > 0 && whole.message.content);
  let text = "";
  for await (const part of await client.chat({ ...ask, stream: true })) text += part.message.content;
  assert.equal(text, whole.message.content);
  assert.equal((await client.generate({ model: "tiny", prompt: "Hello", options: ask.options })).response, text);
  const seen = await client.chat({ ...ask, messages: [{ role: "user", content: "Hello", images: [place.png] }] });
  assert.ok(seen.prompt_eval_count > whole.prompt_eval_count);
  const { embeddings } = await client.embed({ model: "tiny", input: ["x", "y"] });
  assert.ok(embeddings.length === 2 && embeddings[0].length === embeddings[1].length);
  assert.ok((await client.ps()).models.some((model) => model.name === "tiny"));
  await assert.rejects(client.chat({ ...ask, model: "no" }), (error) => error.status_code === 404 && error.message.includes("not found"));
  const long = await client.chat({ ...ask, stream: true, options: { num_predict: 7000, temperature: 0 } });
  await assert.rejects(async () => { for await (const part of long) if (part) long.abort(); }, { name: "AbortError" });
}
