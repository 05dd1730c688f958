/** How the agent is and what it used. Asks again every few seconds, and says so when the numbers may be old. */
import { useQuery } from "@tanstack/react-query"
import { Anchor, CloudOff, WifiOff } from "lucide-react"
import { Link } from "react-router"
import { Data } from "../client/Data.tsx"
import { failureOf } from "../client/Failure.ts"
import { agentQuery, usageQuery } from "../client/Queries.ts"
import { useLive } from "../live/UseLive.ts"
import { paths } from "../Paths.ts"
import { texts } from "../Texts.ts"
import { AlertNotice } from "../usage/AlertNotice.tsx"
import { AgentState } from "../usage/AgentState.tsx"
import { Allowance } from "../usage/Allowance.tsx"
import { ByItself } from "../usage/ByItself.tsx"
import { Calls } from "../usage/Calls.tsx"
import { Days } from "../usage/Days.tsx"
import { Health } from "../usage/Health.tsx"
import { DeleteAgent, ExportNotice } from "../usage/Leaving.tsx"
import { Models } from "../usage/Models.tsx"
import { Today } from "../usage/Today.tsx"
import { Troubles } from "../usage/Troubles.tsx"
import { Button } from "../ui/Button.tsx"
import { Notice } from "../ui/Notice.tsx"
import { Bone, PageSkeleton } from "../ui/Skeleton.tsx"

const t = texts.usage

const Overview = () => {
  const agent = useQuery(agentQuery)
  const usage = useQuery(usageQuery)
  const { journey } = useLive(agent.isSuccess)
  const agentFailure = agent.error === null ? undefined : failureOf(agent.error).kind
  const usageFailure = usage.error === null ? undefined : failureOf(usage.error).kind

  if (agent.data === undefined && agentFailure !== undefined) {
    const isNone = agentFailure === "notFound" || agentFailure === "signedOut"
    return (
      <div className="mx-auto w-full max-w-2xl px-5 py-12 sm:px-8 sm:py-20">
        {isNone ? (
          <Notice icon={Anchor} title={t.noneTitle} text={agentFailure === "notFound" ? t.noneText : t.signedOutText}>
            <Button asChild>
              <Link to={paths.chat}>{t.startChat}</Link>
            </Button>
          </Notice>
        ) : (
          <div role="alert">
            <Notice icon={WifiOff} tone="bad" title={t.title} text={texts.failures[agentFailure]}>
              <Button look="secondary" onClick={() => void agent.refetch()}>
                {texts.retry}
              </Button>
            </Notice>
          </div>
        )}
      </div>
    )
  }
  if (agent.data === undefined) return <PageSkeleton label={t.loading} />

  const isGone = agent.data.phase === "deleted"
  const isStale = agentFailure !== undefined || (usage.data !== undefined && usageFailure !== undefined)
  return (
    <div className="mx-auto w-full max-w-5xl space-y-6 px-5 py-10 sm:px-8 sm:py-14">
      <AgentState agent={agent.data} isPaused={usage.data?.paused ?? false} />
      <Troubles troubles={agent.data.troubles} />
      {isStale && (
        <p role="status" className="flex items-center gap-2 text-sm text-muted">
          <CloudOff aria-hidden="true" className="size-4 shrink-0" />
          {t.stale}
        </p>
      )}
      {agent.data.export !== null && <ExportNotice {...agent.data.export} />}
      {usage.data === undefined ? (
        <div role="status" className="grid gap-6 lg:grid-cols-2">
          <span className="sr-only">{usageFailure === undefined ? t.loading : texts.failures[usageFailure]}</span>
          <Bone className="h-64 rounded-2xl" />
          <Bone className="h-64 rounded-2xl" />
        </div>
      ) : (
        <>
          {isGone ? (
            // Of an agent that is gone, only what it used is still of interest.
            <div className="grid gap-6 lg:grid-cols-2">
              <Days days={usage.data.days} />
              <Models models={usage.data.models} />
            </div>
          ) : (
            <>
              <AlertNotice alert={journey.alert} {...usage.data} />
              <div className="grid gap-6 lg:grid-cols-2">
                <Allowance {...usage.data} />
                <Days days={usage.data.days} />
              </div>
              <div className="grid gap-6 lg:grid-cols-3">
                <Today day={usage.data.today} least={usage.data.leastDailyCap} most={usage.data.limit} />
                <ByItself {...usage.data.background} resetsAt={usage.data.resetsAt} />
                <Models models={usage.data.models} />
              </div>
            </>
          )}
          {usage.data.recent.length > 0 && <Calls calls={usage.data.recent} />}
          {!isGone && <Health />}
          {!isGone && agent.data.phase !== "deprovisioning" && <DeleteAgent botUsername={agent.data.botUsername} />}
        </>
      )}
    </div>
  )
}

const UsagePage = () => (
  <Data>
    <title>{texts.titles.usage}</title>
    <Overview />
  </Data>
)
export default UsagePage
