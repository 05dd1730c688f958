/**
 * What an Agent must fulfil beyond the shape of its fields, each rule twice: as CEL, which the API server evaluates, and as
 * a function, by which the memory cluster refuses the same. Pure.
 */
import { CustomerId } from "@berth/domain/Ids"
import * as Schema from "effect/Schema"
import { at } from "../Manifest.ts"

export interface Rule {
  /** Where in the Agent it stands; the rule reads fields from there. */
  readonly path: ReadonlyArray<string>
  readonly rule: string
  /** What the server says to whoever breaks it. */
  readonly message: string
  /** `before` is what stood; undefined for a new Agent, which no rule about a change refuses. */
  readonly holds: (self: unknown, before: unknown) => boolean
}

const isCustomerId = Schema.is(CustomerId)
const number = (value: unknown, ...path: ReadonlyArray<string>): number => Number(at(value, ...path))

const grows = (...path: ReadonlyArray<string>) => ({
  rule: `self.${path.join(".")} >= oldSelf.${path.join(".")}`,
  holds: (self: unknown, before: unknown) => before === undefined || number(self, ...path) >= number(before, ...path),
})

export const rules: ReadonlyArray<Rule> = [
  {
    path: [],
    // The namespace is named after it, and the same text must fit a label.
    rule: "self.metadata.name.matches('^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$')",
    message:
      "an Agent is named after its customer: lower-case letters, digits and inner hyphens, at most 40 characters",
    holds: (self) => isCustomerId(at(self, "metadata", "name")),
  },
  {
    path: ["spec"],
    // Closes the race of two operators that both saw no Agent yet.
    ...grows("generation"),
    message: "an Agent never goes back to an older generation",
  },
  {
    path: ["spec"],
    rule: "!has(self.deletion) || self.deletion.confirmedGeneration <= self.generation",
    message: "a deletion is confirmed by this generation or an earlier one",
    holds: (self) =>
      at(self, "deletion") === undefined ||
      number(self, "deletion", "confirmedGeneration") <= number(self, "generation"),
  },
  ...(["proxyToken", "botToken", "gatewayToken"] as const).map((purpose) => ({
    path: ["spec", "secrets"],
    ...grows(purpose),
    message: `${purpose} never goes back to an older version`,
  })),
]
