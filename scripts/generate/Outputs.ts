/** Files that are made from the code, with what should stand in them. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { agentCrd, agentSchema } from "../../packages/operator/src/Agent/Crd.ts"
import { agentReference } from "./AgentReference.ts"
import { conditionReference } from "./ConditionReference.ts"

export const root = join(import.meta.dirname, "../..")

const begin = "<!-- made by npm run generate -->"
const end = "<!-- end of what is made -->"

/** A document with its made part replaced. A document without the two marks is a mistake. */
export const withMade = (document: string, made: string): string => {
  const [before, rest] = document.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`the document lacks "${begin}" or "${end}"`)
  return `${before}${begin}\n\n${made}\n\n${end}${after}`
}

export const outputs = (): ReadonlyArray<{ readonly file: string; readonly text: string }> => [
  { file: "kubenix/crds/agents.json", text: `${JSON.stringify(agentCrd, undefined, 2)}\n` },
  {
    file: "docs/operator.md",
    text: withMade(
      readFileSync(join(root, "docs/operator.md"), "utf8"),
      `${agentReference(agentSchema)}\n\n${conditionReference()}`,
    ),
  },
]
