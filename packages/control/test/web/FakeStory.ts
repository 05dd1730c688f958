/** One customer's story in memory, scripted: what the pages show without any other service. For trials and screenshots. */
import type { AgentHealth, AgentLogs } from "@berth/domain/AgentInspection"
import { CustomerId } from "@berth/domain/Ids"
import { steps } from "@berth/domain/Lifecycle"
import { headline, tiers, type SoldTierId } from "@berth/domain/Tiers"
import type { Card, Conversation, Message } from "../../src/api/Messages.ts"
import type { CustomerEvent } from "../../src/api/Events.ts"
import { isReachable, summarize } from "../../src/api/AgentSummary.ts"
import type { AgentView, UsageView } from "../../src/api/Api.ts"

const bot = "ada_reviews_bot"

type WithoutPlace<E> = E extends CustomerEvent ? Omit<E, "seq" | "at"> : never

export class FakeStory {
  readonly accountId: CustomerId
  readonly events: Array<CustomerEvent> = []
  readonly messages: Array<Message> = []
  readonly said = new Map<string, ReadonlyArray<Message>>()
  readonly listeners = new Set<() => void>()
  readonly orderId: string
  tier: SoldTierId = "pro"
  stage: Conversation["stage"] = "gathering"
  status: "open" | "paid" | "canceled" = "open"
  phase: (typeof AgentView.Type)["phase"] | undefined
  troubles: (typeof AgentView.Type)["troubles"] = []
  restarts = 0
  /** Bytes on its volume. */
  stored = 1_900_000_000
  exported: (typeof AgentView.Type)["export"] = null
  usage: Partial<typeof UsageView.Type> = {}
  dailyCap: number | null = null
  readonly resetsAt = Date.now() + 7 * 86_400_000
  origin: string

  constructor(id: string, origin: string) {
    this.accountId = CustomerId.make(id)
    this.orderId = `order-${id}`
    this.origin = origin
    this.answer("Hey! What do you want your agent to help you with?")
  }

  conversation(): Conversation {
    return {
      id: `conversation-${this.accountId}`,
      channel: "web",
      stage: this.stage,
      orderId: this.stage === "gathering" ? null : this.orderId,
      messages: [...this.messages],
    }
  }

  private add(role: Message["role"], text: string, cards: ReadonlyArray<Card> = []): Message {
    const message: Message = { seq: this.messages.length + 1, role, text, cards, at: Date.now() }
    this.messages.push(message)
    return message
  }
  private answer(text: string, ...cards: ReadonlyArray<Card>): Message {
    return this.add("assistant", text, cards)
  }

  tell(event: WithoutPlace<CustomerEvent>): void {
    this.events.push({ ...event, seq: this.events.length + 1, at: Date.now() } as CustomerEvent)
    for (const listener of this.listeners) listener()
  }

  /** Says the same `clientId` once. */
  say(clientId: string, text: string): ReadonlyArray<Message> {
    const before = this.said.get(clientId)
    if (before !== undefined) return before
    const added = [this.add("user", text.replace(/\b\d{6,}:[\w-]{30,}/g, "[bot token, sealed]")), this.reply(text)]
    this.said.set(clientId, added)
    return added
  }

  private reply(text: string): Message {
    const turn = this.messages.filter(({ role }) => role === "user").length
    if (/rather take (starter|pro|team)/i.test(text)) {
      this.tier = (/(starter|pro|team)/i.exec(text)?.[1] ?? "pro").toLowerCase() as SoldTierId
      return this.offer()
    }
    if (turn === 1) {
      return this.answer(
        "Python and pull requests, gladly. About how many messages will you send it on a working day?",
        {
          _tag: "Choices",
          options: [
            { label: "A few", send: "About 3 a day" },
            { label: "10 or so", send: "About 10 a day" },
            { label: "50 and more", send: "About 50 a day" },
          ],
        },
      )
    }
    if (turn === 2) {
      return this.answer(
        "Now your agent needs a Telegram bot of its own. Make one with BotFather and paste its token here. I take it out of the chat and encrypt it at once.",
        { _tag: "BotFatherLink", url: "https://t.me/BotFather" },
      )
    }
    if (turn === 3) {
      return this.answer(`Got it: @${bot}. Last thing: open this link, so that only you can talk to your agent.`, {
        _tag: "TelegramLink",
        url: `https://t.me/berth_bot?start=abc`,
        expiresAt: Date.now() + 600_000,
      })
    }
    return turn === 4 ? this.offer() : this.answer("I am here if you need anything else.")
  }

  private offer(): Message {
    this.stage = "checkout"
    const others = (["starter", "pro", "team"] as const).filter((tier) => tier !== this.tier)
    return this.answer(
      "Here is what I would set up for you.",
      {
        _tag: "Offer",
        tier: this.tier,
        headline: headline(tiers[this.tier]),
        reason:
          "About 10 messages a day × 2 calls × 13k tokens × 30 days ≈ 7.8M. Most of it repeats the call before, is cached and counts a sixth, so with the answers about 3.2M are charged, of Pro's 5M.",
        expectedTokens: 3_165_000,
        alternatives: others.map((tier) => ({ tier, headline: headline(tiers[tier]) })),
      },
      {
        _tag: "Checkout",
        orderId: this.orderId,
        headline: headline(tiers[this.tier]),
        url: `${this.origin}/dev/fake/pay?account=${this.accountId}`,
      },
    )
  }

  pay(): void {
    if (this.status === "paid") return
    this.status = "paid"
    this.stage = "paid"
    this.phase = "provisioning"
    this.tell({ _tag: "paid", orderId: this.orderId })
  }

  /** Reports the next step; after the last one the agent is live. False when there is nothing more to do. */
  advance(): boolean {
    const done = this.events.filter(({ _tag }) => _tag === "step").length
    const step = steps[done]
    if (this.phase !== "provisioning") return false
    if (step !== undefined) {
      this.tell({ _tag: "step", step })
      return true
    }
    this.phase = "active"
    this.stage = "live"
    const text = `Your agent is live! Message @${bot}`
    const message = this.answer(text, { _tag: "Live", botUsername: bot, url: `https://t.me/${bot}` })
    this.tell({ _tag: "message", conversationId: this.conversation().id, message })
    this.tell({ _tag: "active", botUsername: bot, text })
    return false
  }

  fail(): void {
    this.phase = "failed"
    this.stage = "failed"
    this.tell({
      _tag: "failed",
      reason: "BotTokenRejected",
      message: "Telegram refuses the bot's token. It may have been replaced in BotFather.",
      retriable: true,
    })
  }

  /** The agent is deleted; its data can be fetched. */
  leave(): void {
    this.phase = "deleted"
    this.exported = {
      url: "http://127.0.0.1/api/exports/fake",
      size: 4_200_000,
      expiresAt: Date.now() + 30 * 86_400_000,
    }
    this.tell({ _tag: "deprovisioning" })
    this.tell({ _tag: "exported", size: 4_200_000, expiresAt: this.exported.expiresAt })
    this.tell({ _tag: "deleted" })
  }

  agent(): typeof AgentView.Type | undefined {
    const { phase } = this
    if (phase === undefined) return undefined
    const message = "There is no room for your agent at the moment. It starts as soon as there is."
    const failure = phase === "failed" ? { reason: "NoRoom", message, retriable: true } : null
    const suspended = phase === "suspended" ? (["payment"] as const) : []
    return {
      customerId: this.accountId,
      tier: this.tier,
      headline: headline(tiers[this.tier]),
      phase,
      reachable: isReachable(phase, this.troubles),
      summary: summarize(phase, bot, suspended, failure, this.troubles),
      botUsername: bot,
      botUrl: `https://t.me/${bot}`,
      models: tiers[this.tier].models,
      suspended,
      steps: [],
      failure,
      export: this.exported,
      troubles: this.troubles,
    }
  }

  health(): AgentHealth {
    const { phase = "pending", accountId: customerId } = this
    const runs = phase === "active" || phase === "updating"
    const side = (type: string, isWell: boolean, message: string) => ({
      type,
      status: isWell ? ("True" as const) : ("False" as const),
      reason: isWell ? "Well" : "Ill",
      message,
      since: Date.now() - 5_400_000,
    })
    return {
      customerId,
      phase,
      generation: 1,
      answers: runs ? this.troubles.length === 0 : null,
      conditions: [
        side("Ready", runs, runs ? "The agent is running." : "The agent is stopped (payment); its data is kept."),
        ...this.troubles.map(({ reason, message }) =>
          side(reason.startsWith("Disk") ? "Disk" : "BotToken", false, message),
        ),
        ...(this.restarts > 0 ? [side("Memory", true, "Your agent has not run out of memory for an hour.")] : []),
      ],
      process: runs
        ? {
            startedAt: Date.now() - 9_000_000,
            restarts: this.restarts,
            lastEnd: this.restarts > 0 ? { why: "outOfMemory", at: Date.now() - 9_000_000 } : null,
          }
        : null,
      disk: { used: this.stored, capacity: 10_737_418_240 },
    }
  }

  logLines(previous: boolean): AgentLogs["lines"] {
    const lines = previous
      ? ["[gateway] http server listening", "[agent] reading a folder of 4,000 files", "FATAL: out of memory"]
      : [
          "[gateway] loading configuration…",
          "[gateway] agent model: berth/kimi-k2.6 (thinking=off, fast=off)",
          "[telegram] [default] starting provider (@ada_reviews_bot)",
          "[telegram] GET https://api.telegram.org/bot[secret]/getMe",
          "[agent] answered a message with 812 characters",
          `[tools] a line that is rather long, as those of a stack trace are: ${"/app/node_modules/openclaw/dist/".repeat(4)}`,
          ...Array.from({ length: 30 }, (_, place) => `[agent] turn ${place + 1} done`),
        ]
    return lines.map((text, place) => ({ at: Date.now() - (lines.length - place) * 61_000, text }))
  }

  usageView(): typeof UsageView.Type {
    const now = Date.now()
    const days = Array.from({ length: 24 }, (_, place) => {
      const charged = Math.round(60_000 + 90_000 * Math.abs(Math.sin(place * 1.7)) * (place % 7 < 2 ? 0.3 : 1))
      return {
        day: new Date(now - (23 - place) * 86_400_000).toISOString().slice(0, 10),
        prompt: charged * 2,
        cached: charged,
        completion: Math.round(charged / 5),
        charged,
        background: place < 4 ? 0 : Math.round(charged * (place % 7 < 2 ? 0.6 : 0.15)),
        requests: Math.round(charged / 5_000),
      }
    })
    const recent = Array.from({ length: 8 }, (_, place) => ({
      at: now - place * 437_000 - 30_000,
      model: place % 3 === 2 ? "kimi-k2.7-code" : "kimi-k2.6",
      prompt: 13_120 + place * 517,
      cached: 9_800 + place * 401,
      completion: 310 + ((place * 137) % 900),
      charged: 5_263 + place * 319,
      background: place === 1,
      estimated: place === 4,
    }))
    const used = days.reduce((sum, { charged }) => sum + charged, 0)
    const background = days.reduce((sum, day) => sum + day.background, 0)
    const models = (["kimi-k2.6", "kimi-k2.7-code"] as const).map((model, place) => {
      const part = (whole: number) => Math.round(whole * (place === 0 ? 0.73 : 0.27))
      const sums = { prompt: part(2 * used), cached: part(used), completion: part(used / 5), charged: part(used) }
      return { model, ...sums, background: part(background), requests: part(used / 5_000) }
    })
    return {
      headline: headline(tiers[this.tier]),
      used,
      held: 34_000,
      limit: tiers[this.tier].monthlyTokens,
      resetsAt: this.resetsAt,
      paused: false,
      today: { used: 96_000, resetsAt: (Math.floor(now / 86_400_000) + 1) * 86_400_000, cap: this.dailyCap },
      leastDailyCap: 50_000,
      background: { used: background, cap: tiers[this.tier].backgroundTokens },
      days,
      models,
      recent,
      ...this.usage,
    }
  }
}
