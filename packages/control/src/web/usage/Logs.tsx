/** The end of the agent's log, read while it is open. Whatever stands in it is shown as text. */
import { useQuery } from "@tanstack/react-query"
import { ChevronRight } from "lucide-react"
import { useLayoutEffect, useRef, useState } from "react"
import { failureOf } from "../client/Failure.ts"
import { logsQuery } from "../client/Queries.ts"
import { second } from "../Format.ts"
import { texts } from "../Texts.ts"
import { Bone } from "../ui/Skeleton.tsx"

const t = texts.usage.logs

/** Pixels from the end within which a reader counts as being there. */
const atEnd = 40

/** Keeps the newest lines in sight, unless its reader went up to older ones. */
const useEnd = (lines: unknown) => {
  const list = useRef<HTMLOListElement>(null)
  const follows = useRef(true)
  useLayoutEffect(() => {
    if (list.current !== null && follows.current) list.current.scrollTop = list.current.scrollHeight
  }, [lines])
  const onScroll = () => {
    const { scrollHeight = 0, scrollTop = 0, clientHeight = 0 } = list.current ?? {}
    follows.current = scrollHeight - scrollTop - clientHeight < atEnd
  }
  return { ref: list, onScroll }
}

const Lines = ({ previous }: { readonly previous: boolean }) => {
  const logs = useQuery(logsQuery(previous))
  const end = useEnd(logs.data)
  const failure = logs.error === null ? undefined : failureOf(logs.error)
  const complaint = failure && (
    <p role="status" className="mt-3 text-[0.9375rem] text-muted">
      {failure.kind === "rejected" && failure.message !== "" ? failure.message : t.unavailable}
    </p>
  )
  if (logs.data === undefined) return complaint ?? <Bone className="mt-3 h-40 rounded-xl" />
  const { lines } = logs.data
  if (lines.length === 0) return complaint ?? <p className="mt-3 text-[0.9375rem] text-muted">{t.empty}</p>
  return (
    <>
      {complaint}
      <ol
        {...end}
        aria-label={t.title}
        className="mt-3 max-h-96 overflow-auto rounded-xl border border-line bg-sunken p-4 font-mono text-[0.8125rem] leading-relaxed"
      >
        {lines.map(({ at, text }, place) => (
          // Lines have no name of their own; the newest come last, so the place from the end would rename all of them.
          <li key={`${at}-${place}`} className="flex gap-3">
            {at !== null && (
              <time dateTime={new Date(at).toISOString()} className="shrink-0 text-muted tabular-nums select-none">
                {second(at)}
              </time>
            )}
            <span className="min-w-0 whitespace-pre-wrap wrap-anywhere">{text}</span>
          </li>
        ))}
      </ol>
    </>
  )
}

export const Logs = ({ hasPrevious }: { readonly hasPrevious: boolean }) => {
  const [isOpen, setOpen] = useState(false)
  const [previous, setPrevious] = useState(false)
  return (
    <details
      className="group mt-6 border-t border-line pt-4"
      open={isOpen}
      onToggle={({ currentTarget }) => setOpen(currentTarget.open)}
    >
      <summary className="-mx-2 flex min-h-11 cursor-pointer list-none items-center gap-2 rounded-xl px-2 font-medium [&::-webkit-details-marker]:hidden">
        <ChevronRight aria-hidden="true" className="size-4 transition-transform group-open:rotate-90" />
        {t.title}
      </summary>
      {isOpen && (
        <>
          <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-1">
            <p className="max-w-prose text-sm text-muted">{t.note}</p>
            {hasPrevious && (
              <label className="flex min-h-11 items-center gap-2 text-sm">
                <input
                  type="checkbox"
                  checked={previous}
                  onChange={({ target }) => setPrevious(target.checked)}
                  className="size-4 accent-accent"
                />
                {t.previous}
              </label>
            )}
          </div>
          <Lines previous={previous} />
        </>
      )}
    </details>
  )
}
