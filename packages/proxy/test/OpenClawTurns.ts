/** The messages that OpenClaw sends for each kind of turn, of the shape that it really sends. Made up but for the words that tell them apart. */

const at = "Wednesday, November 25th, 2026 - 3:21 AM (UTC)\nReference UTC: 2026-11-25 03:21 UTC"

/** What a person wrote in Telegram, as it reaches the model. */
export const said = (text: string) => ({
  role: "user",
  content: `[Wed 2026-11-25 03:04 UTC] Conversation info: ⟦openclaw:ctx⟧\n\`\`\`json\n{"sender":{"id":"4242"}}\n\`\`\`\n\n${text}`,
})
const marker = (edge: string) => `<<<${edge}_OPENCLAW_INTERNAL_CONTEXT>>>`
/** Stands last in every request but the ones without tools. */
export const context = {
  role: "user",
  content: [{ type: "text", text: `${marker("BEGIN")}\n"Active exec sessions:\\nnone"\n${marker("END")}` }],
}
export const heartbeatText = `Follow the heartbeat monitor scratch context when there is one. Else reply NO_REPLY.\nCurrent time: ${at}`
export const heartbeat = { role: "user", content: heartbeatText }
export const tasks = {
  role: "user",
  content: `Run the following periodic tasks (the due ones):\n- mail\nCurrent time: ${at}`,
}
export const scheduled = {
  role: "user",
  content: `[cron:b92102f1-b02b-4fa3-bc34-345ea921d6e2 Morning news] Tell me the news.\nCurrent time: ${at}\n\nNobody is present.`,
}
export const reminder = {
  role: "user",
  content: `A scheduled reminder has been triggered. The reminder content is:\n\nwater the plants\nCurrent time: ${at}`,
}
/** A command that the person's turn had left running has ended. */
export const completion = {
  role: "user",
  content: `An async command you ran earlier has completed.\nCurrent time: ${at}`,
}
/** OpenClaw asks for words after a turn of tools alone. */
export const goOn = {
  role: "user",
  content: "The previous assistant turn completed its tool calls but said nothing. Continue.",
}

export const called = [
  {
    role: "assistant",
    content: null,
    tool_calls: [{ id: "call1", type: "function", function: { name: "exec", arguments: '{"command":"ls"}' } }],
  },
  { role: "tool", tool_call_id: "call1", content: "notes.md" },
]
export const answered = { role: "assistant", content: "All is well." }
const system = { role: "system", content: "You are a personal assistant running inside OpenClaw." }

/** A request with these messages after the system prompt. */
export const turn = (...messages: ReadonlyArray<object>) => ({
  model: "kimi-k2.6",
  messages: [system, ...messages],
  stream: true,
  tool_choice: "auto",
})
