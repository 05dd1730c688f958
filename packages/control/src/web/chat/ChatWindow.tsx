/** The chat's own chrome: who one talks to, the scrolling conversation, and the composer. Needs no data. */
import { clsx } from "clsx"
import { ArrowDown, Maximize2 } from "lucide-react"
import { useEffect, useRef, useState, type ReactNode } from "react"
import { Link } from "react-router"
import { paths } from "../Paths.ts"
import { texts } from "../Texts.ts"
import { Mark } from "../ui/Mark.tsx"

/** Still at the end, give or take a line. */
const slack = 80
/** So far from the end that one needs a way back. */
const far = 240

/** What moved the end of the conversation. One's own words are always followed, others' only by who reads the end. */
export interface Follow {
  readonly end: unknown
  readonly isOwn: boolean
}

const Scroll = ({ children, follow }: { readonly children: ReactNode; readonly follow: Follow }) => {
  const box = useRef<HTMLDivElement>(null)
  const [toGo, setToGo] = useState(0)
  const isAtEnd = toGo < slack
  const toEnd = (behavior: ScrollBehavior) => box.current?.scrollTo({ top: box.current.scrollHeight, behavior })
  const look = () => {
    const at = box.current
    if (at !== null) setToGo(at.scrollHeight - at.scrollTop - at.clientHeight)
  }
  useEffect(() => {
    const last = box.current?.firstElementChild?.lastElementChild
    if (!(isAtEnd || follow.isOwn) || !(last instanceof HTMLElement)) return
    // To the end, but not past the beginning of what came last: a long answer is read from its top.
    box.current?.scrollTo({ top: last.offsetTop - 24, behavior: "instant" })
    look()
    // oxlint-disable-next-line react/exhaustive-deps
  }, [follow.end])
  return (
    <div className="relative min-h-0 grow">
      {/* Focusable, so that the keyboard can scroll it. */}
      <div
        ref={box}
        onScroll={look}
        role="log"
        aria-live="polite"
        aria-label={texts.chat.log}
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        className="absolute inset-0 overflow-y-auto overscroll-contain -outline-offset-2"
      >
        {children}
      </div>
      {toGo > far && (
        <button
          type="button"
          onClick={() => toEnd("smooth")}
          aria-label={texts.chat.newest}
          className="absolute bottom-3 left-1/2 grid size-11 -translate-x-1/2 place-items-center rounded-full border border-line bg-surface shadow-card"
        >
          <ArrowDown aria-hidden="true" className="size-5" />
        </button>
      )}
    </div>
  )
}

export const ChatWindow = ({
  place,
  subtitle,
  follow,
  notice,
  composer,
  children,
}: {
  readonly place: "page" | "card"
  readonly subtitle: string
  readonly follow: Follow
  readonly notice?: ReactNode
  readonly composer: ReactNode
  readonly children: ReactNode
}) => {
  const column = clsx("mx-auto w-full", place === "page" ? "max-w-3xl px-5 sm:px-8" : "px-4 sm:px-5")
  return (
    <div
      className={clsx(
        "flex flex-col",
        place === "page"
          ? "min-h-0 grow"
          : "h-[31rem] overflow-hidden rounded-3xl border border-line bg-surface shadow-card",
      )}
    >
      {place === "card" && (
        <div className="flex items-center gap-3 border-b border-line py-2 pr-2 pl-4 sm:pl-5">
          <Mark className="size-8" />
          <div className="min-w-0 grow py-1">
            <h2 className="text-[0.9375rem] leading-tight font-semibold">{texts.chat.title}</h2>
            <p className="text-sm text-muted">{subtitle}</p>
          </div>
          <Link
            to={paths.chat}
            aria-label={texts.chat.openFull}
            className="grid size-11 place-items-center rounded-xl text-muted transition-colors hover:bg-sunken hover:text-ink"
          >
            <Maximize2 aria-hidden="true" className="size-4.5" />
          </Link>
        </div>
      )}
      {place === "page" && <h1 className="sr-only">{texts.chat.title}</h1>}
      <Scroll follow={follow}>
        <div className={clsx(column, "space-y-6", place === "page" ? "py-8" : "py-5")}>{children}</div>
      </Scroll>
      <div
        className={clsx(
          column,
          "pt-2",
          place === "page" ? "pb-[max(1.25rem,env(safe-area-inset-bottom))]" : "pb-4 sm:pb-5",
        )}
      >
        {notice}
        {composer}
      </div>
    </div>
  )
}
