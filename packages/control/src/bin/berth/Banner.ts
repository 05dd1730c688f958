/** What `npm start` prints once everything listens: what is embedded, what is real, what to open. Pure. */
import * as Embedded from "@berth/domain/Embedded"
import type { Settings } from "./Settings.ts"

export const banner = ({ embedded, folder, internalUrl, local, ports, proxyUrl }: Settings): string =>
  [
    "",
    "Berth is running",
    "",
    ...Embedded.describe(embedded),
    "",
    `  open       ${local}            talk to it: "Help me write Python and review my PRs"`,
    `             ${local}/dev        behind the embedded services: Telegram, mailbox, Stripe, Kimi, cluster`,
    `             ${local}/usage      what your agent used`,
    `             ${local}/docs       the HTTP API`,
    `  proxy      ${proxyUrl}   for any OpenAI client with an agent's token`,
    `  internal   ${internalUrl}/provision   bearer in ${folder}/keys/service.token`,
    `  ops        http://127.0.0.1:${ports.ops}/metrics`,
    `  data       ${folder}   (npm run reset removes it)`,
    "",
    "Ctrl-C drains and stops everything.",
  ].join("\n")
