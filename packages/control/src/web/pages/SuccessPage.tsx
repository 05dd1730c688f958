/**
 * Where the payment page sends people back to. Believes the api, not the address: it has the payment looked up, waits
 * until it is confirmed, then follows the setting up of the agent.
 */
import { useQuery } from "@tanstack/react-query"
import { CircleCheck, CircleX, LoaderCircle, SearchX, Send, TriangleAlert, WifiOff } from "lucide-react"
import { useEffect, useState, type ReactNode } from "react"
import { Link, useSearchParams } from "react-router"
import { Data } from "../client/Data.tsx"
import { failureOf } from "../client/Failure.ts"
import { agentQuery, orderQuery, returnQuery } from "../client/Queries.ts"
import { Provisioning } from "../live/Provisioning.tsx"
import { useLive } from "../live/UseLive.ts"
import { paths } from "../Paths.ts"
import { texts } from "../Texts.ts"
import { Button } from "../ui/Button.tsx"
import { Notice } from "../ui/Notice.tsx"

const t = texts.success
const pollMs = 2_000
const slowMs = 20_000

const ToChat = () => (
  <Button asChild look="secondary">
    <Link to={paths.chat}>{t.toChat}</Link>
  </Button>
)

const useIsSlow = (): boolean => {
  const [isSlow, setIsSlow] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setIsSlow(true), slowMs)
    return () => clearTimeout(timer)
  }, [])
  return isSlow
}

const Confirming = () => {
  const isSlow = useIsSlow()
  return (
    <div role="status" className="[&_svg]:animate-spin">
      <Notice icon={LoaderCircle} title={t.confirmingTitle} text={isSlow ? t.slowText : t.confirmingText} />
    </div>
  )
}

const Paid = () => {
  const { journey } = useLive(true)
  const agent = useQuery({ ...agentQuery, enabled: journey.live !== null })
  const { failure, live } = journey
  const body = (notice: ReactNode) => (
    <div className="space-y-8">
      {notice}
      <Provisioning journey={journey} />
      <div className="flex flex-wrap gap-3">
        <ToChat />
        <Button asChild look="secondary">
          <Link to={paths.usage}>{t.toUsage}</Link>
        </Button>
      </div>
    </div>
  )
  if (failure !== null)
    return body(<Notice icon={TriangleAlert} tone="bad" title={t.failedTitle} text={t.failedText} />)
  if (live !== null) {
    return body(
      <Notice icon={CircleCheck} tone="good" title={t.liveTitle} text={t.liveText(live.botUsername)}>
        {agent.data !== undefined && (
          <Button asChild>
            <a href={agent.data.botUrl} target="_blank" rel="noreferrer">
              <Send aria-hidden="true" />
              {texts.live.open(live.botUsername)}
            </a>
          </Button>
        )}
      </Notice>,
    )
  }
  return body(<Notice icon={CircleCheck} tone="good" title={t.paidTitle} text={t.paidText} />)
}

const Result = () => {
  const [search] = useSearchParams()
  const id = search.get("order") ?? ""
  const order = useQuery({
    ...orderQuery(id),
    enabled: id !== "",
    refetchInterval: ({ state }) => (state.data === undefined || state.data.status === "open" ? pollMs : false),
  })
  useQuery({ ...returnQuery(id), enabled: order.data?.status === "open" })
  const failure = order.error === null ? undefined : failureOf(order.error).kind
  if (id === "" || failure === "notFound" || failure === "signedOut") {
    return (
      <Notice icon={SearchX} title={t.unknownTitle} text={t.unknownText}>
        <ToChat />
      </Notice>
    )
  }
  if (order.data === undefined && failure !== undefined) {
    return (
      <div role="alert">
        <Notice icon={WifiOff} tone="bad" title={t.confirmingTitle} text={texts.failures[failure]}>
          <Button look="secondary" onClick={() => void order.refetch()}>
            {texts.retry}
          </Button>
        </Notice>
      </div>
    )
  }
  if (order.data?.status === "canceled") {
    return (
      <Notice icon={CircleX} title={t.canceledTitle} text={t.canceledText}>
        <ToChat />
      </Notice>
    )
  }
  return order.data?.status === "paid" ? <Paid /> : <Confirming />
}

const SuccessPage = () => (
  <Data>
    <title>{texts.titles.success}</title>
    <div className="mx-auto w-full max-w-2xl px-5 py-12 sm:px-8 sm:py-20">
      <Result />
    </div>
  </Data>
)
export default SuccessPage
