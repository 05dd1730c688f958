/**
 * The stand-in's memory: the conversation as a file of its volume, where OpenClaw has its own state, so that a restart, a
 * suspension and an export find it there. A file that is none of ours is begun anew.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { RunningPod } from "../../Cluster/Pods.ts"
import type { Message } from "./Prompt.ts"

const file = "state/agents/main/conversation.json"

const Conversation = Schema.fromJsonString(
  Schema.Array(Schema.Struct({ role: Schema.Literals(["system", "user", "assistant"]), content: Schema.String })),
)
const decode = Schema.decodeUnknownOption(Conversation)
const encode = Schema.encodeSync(Conversation)

export const openMemory = ({ volumes }: RunningPod) => {
  const volume = volumes["/data"]
  return {
    read: (): ReadonlyArray<Message> => Option.getOrElse(decode(volume?.get(file)), () => []),
    write: (conversation: ReadonlyArray<Message>): void => void volume?.set(file, encode(conversation)),
  }
}
