/** The agent in words: what state it is in, what that means, and the way to it. */
import type { Phase } from "@berth/domain/Lifecycle"
import { clsx } from "clsx"
import { Send } from "lucide-react"
import { texts } from "../Texts.ts"
import { Button } from "../ui/Button.tsx"

export interface Agent {
  readonly phase: Phase
  readonly reachable: boolean
  readonly headline: string
  readonly summary: string
  readonly botUsername: string
  readonly botUrl: string
}

const bad: ReadonlyArray<Phase> = ["failed", "suspended", "deleted"]

export const AgentState = ({ agent, isPaused }: { readonly agent: Agent; readonly isPaused: boolean }) => {
  const isDeaf = agent.phase === "active" && !agent.reachable
  const isBad = isDeaf || bad.includes(agent.phase)
  return (
    <div className="flex flex-wrap items-end justify-between gap-x-8 gap-y-6">
      <div className="min-w-0">
        <p className="text-muted">{agent.headline}</p>
        <h1 className="mt-1 text-3xl font-semibold wrap-anywhere sm:text-4xl">@{agent.botUsername}</h1>
        <p role="status" className="mt-4 flex items-center gap-2.5 font-medium">
          <span
            aria-hidden="true"
            className={clsx("size-2.5 rounded-full ring-4", {
              "bg-accent ring-accent-soft": agent.reachable,
              "bg-danger ring-danger-soft": isBad,
              "animate-pulse bg-accent ring-accent-soft": !agent.reachable && !isBad,
            })}
          />
          {isDeaf ? texts.usage.deaf : texts.phases[agent.phase]}
        </p>
        <p className="mt-1.5 max-w-prose text-muted">{isPaused ? texts.usage.paused : agent.summary}</p>
      </div>
      {agent.phase !== "deleted" && (
        <Button asChild>
          <a href={agent.botUrl} target="_blank" rel="noreferrer">
            <Send aria-hidden="true" />
            {texts.usage.openBot(agent.botUsername)}
          </a>
        </Button>
      )}
    </div>
  )
}
