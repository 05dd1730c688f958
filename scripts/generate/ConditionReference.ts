/** The conditions of an Agent as a table for docs/operator.md, from the words that customers read. Pure. */
import { type Reason, troubles } from "../../packages/operator/src/Troubles.ts"

/** What ops do about each. */
const remedies: Readonly<Record<Reason, string>> = {
  BotTokenRejected: "nothing; the customer sends a new token in the chat, and the agent restarts with it",
  TelegramNotConnected:
    "one agent: its log says what fails (409 is another program on the same bot). Many at once: Telegram, or the way out to it",
  OutOfMemory: "nothing; if it comes back within hours, offer a larger plan",
  DiskNearlyFull: "nothing; the customer's to mend",
  DiskFull: "if the agent can't delete anything by itself any more, grow its claim",
  TemporaryDiskFull: "nothing; the pod was replaced",
  DatabaseRefused:
    "read the agent's log for `agent-database`; restore from its export only if it says that data is lost",
  ImagePullFailed: "`kubectl -n customer-<id> describe pod`; check the registry and `OPENCLAW_IMAGE`",
  QuotaTooSmall:
    "the tier's quota lacks room for what we build: a fault of ours, or objects that someone put into the namespace",
  NoRoom: "add a node, or see which node is cordoned or full",
  Crashing: "read the log of the run before (`?previous=true`)",
  ConfigurationMissing:
    "`kubectl -n customer-<id> describe pod` names the Secret, ConfigMap or runtime that is missing",
  PodRefused: "the ReplicaSet's events say which rule; nothing starts before the builders keep it",
  SlowStart:
    "`kubectl -n customer-<id> describe pod`; an init container that never ends means that no policy is in force",
  ExportFailed:
    "the operator's log says why; nothing is deleted before the data is exported or the export given up ([runbook](runbooks/export.md))",
  EraseFailed:
    "`kubectl describe pv` names the volume that its provisioner can't delete ([runbook](runbooks/export.md))",
  SecretsMissing: "nothing; the job is sent again with all envelopes",
  Refused: "the operator's log says which object and why",
}

const others = [
  ["Ready", "`Running`", "is well", "nothing"],
  [
    "Ready",
    "`Starting`, `Restarting`, `StartQueued`, `Stopping`, `Suspended`, `Exporting`, `Deleting`",
    "is as its phase says",
    "nothing",
  ],
  [
    "StartQueued",
    "`OthersFirst`",
    "has all but its pod, which waits until fewer others start",
    "nothing; `MAX_STARTS` says how many may at once",
  ],
  [
    "DeletionBlocked",
    "`NotConfirmed`",
    "was deleted by hand; nothing of it is, and it is written again",
    "find out who did it and why",
  ],
] as const

const row = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

export const conditionReference = (): string =>
  [
    "### Conditions",
    "",
    "A condition other than `Ready` appears with its first trouble and is `True` again when that is over. An agent that runs",
    "in spite of one stays `active`; its owner is told when it begins and when it ends (`troubled`, `recovered`), and by mail",
    "what nobody else can mend. An agent that does not run for it is `failed`, with the reason on `Ready` too.",
    "",
    row(["condition", "reason", "the customer reads", "what ops do"]),
    "|---|---|---|---|",
    ...Object.entries(troubles).map(([reason, { condition, message }]) =>
      row([`\`${condition}\``, `\`${reason}\``, message, remedies[reason as Reason]]),
    ),
    "",
    row(["condition", "reason", "the agent", "what ops do"]),
    "|---|---|---|---|",
    ...others.map(([condition, ...rest]) => row([`\`${condition}\``, ...rest])),
  ].join("\n")
