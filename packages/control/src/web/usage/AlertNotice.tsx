/** Half, four fifths or all of the month's tokens are used: told as it happens, until it is closed or no longer true. */
import { clsx } from "clsx"
import { BellRing, X } from "lucide-react"
import { useState } from "react"
import { compact, day } from "../Format.ts"
import type { UsageAlert } from "../live/Journey.ts"
import { texts } from "../Texts.ts"

const t = texts.usage.alerts
const key = "berth.alert.closed"

/** The seq of the last alert that was closed in this browser. */
const closedBefore = (): number => {
  try {
    return Number(localStorage.getItem(key) ?? 0)
  } catch {
    return 0
  }
}
const rememberClosed = (seq: number): void => {
  try {
    localStorage.setItem(key, String(seq))
  } catch {
    // Storage may be forbidden. The notice is then back after a reload.
  }
}

/** Whether the alert still speaks of the period and the limit that are shown. */
const holds = (alert: UsageAlert, now: { readonly limit: number; readonly resetsAt: number }): boolean =>
  alert.limit === now.limit && alert.resetsAt === now.resetsAt

export const AlertNotice = ({
  alert,
  ...now
}: {
  readonly alert: UsageAlert | null
  readonly limit: number
  readonly resetsAt: number
}) => {
  const [closed, setClosed] = useState(closedBefore)
  const isShown = alert !== null && alert.seq > closed && holds(alert, now)
  return (
    // Always there, so that a screen reader speaks what appears in it.
    <div role="status" className="empty:mb-0">
      {isShown && (
        <div
          className={clsx(
            "flex animate-rise items-start gap-4 rounded-2xl border p-4 sm:items-center sm:p-5",
            alert.percent === 50 ? "border-line bg-accent-soft" : "border-danger/30 bg-danger-soft",
          )}
        >
          <BellRing
            aria-hidden="true"
            className={clsx("mt-0.5 size-5 shrink-0 sm:mt-0", alert.percent === 50 ? "text-accent" : "text-danger")}
          />
          <p className="grow">
            <strong className="font-semibold">{t.words[alert.percent]}</strong>{" "}
            <span className="text-muted">
              {t.numbers(compact(alert.used), compact(alert.limit))} {t.meaning[alert.percent](day(alert.resetsAt))}
            </span>
          </p>
          <button
            type="button"
            aria-label={t.close}
            onClick={() => {
              rememberClosed(alert.seq)
              setClosed(alert.seq)
            }}
            className="-m-2 grid size-11 shrink-0 place-items-center rounded-xl text-muted transition-colors hover:text-ink"
          >
            <X aria-hidden="true" className="size-4.5" />
          </button>
        </div>
      )}
    </div>
  )
}
