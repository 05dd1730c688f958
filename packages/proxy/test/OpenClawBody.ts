/** A request of the shape and size that OpenClaw really sends: system prompt, two user messages, eleven tools, streamed. Made up, not copied. */

const verbs = ["read", "write", "edit", "list", "run", "watch", "find", "plan", "ask", "send", "end"]
const sentence = (index: number) =>
  `- rule ${index}: before you ${verbs[index % verbs.length]} a file, look at "${verbs[(index * 3) % verbs.length]}.md" (or \`notes/${index}.txt\`), then say what you did & why.\n`

const tool = (name: string, index: number) => ({
  type: "function",
  function: {
    name,
    description: `Tool ${index}: ${sentence(index)}${sentence(index + 1)}Costs nothing; $HOME is expanded.`,
    parameters: {
      type: "object",
      properties: Object.fromEntries(
        verbs
          .slice(0, 4 + (index % 4))
          .map((verb) => [
            `${verb}_path`,
            { type: "string", description: `Path to ${verb}; defaults to "."`, enum: ["a", "b\\c", "d/e"] },
          ]),
      ),
      required: ["read_path"],
      additionalProperties: false,
    },
  },
})

export const openClawBody = (more: object = {}) => ({
  model: "kimi-k2.6",
  messages: [
    {
      role: "system",
      content: `<!-- attempt:STABLE -->\nYou are a personal assistant.\n## Tooling\n${Array.from({ length: 420 }, (_, index) => sentence(index)).join("")}`,
    },
    { role: "user", content: "[Context] 你好 🦀 The user's name is Zoë." },
    { role: "user", content: [{ type: "text", text: "Help me write Python and review my PRs" }] },
  ],
  stream: true,
  stream_options: { include_usage: true },
  tools: verbs.map(tool),
  tool_choice: "auto",
  max_completion_tokens: 32_768,
  ...more,
})
