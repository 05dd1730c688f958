/** What is wrong with an agent that runs all the same: what it is, since when, and what to do about it. */
import { clsx } from "clsx"
import { MessageCircle, TriangleAlert } from "lucide-react"
import { Link } from "react-router"
import { moment } from "../Format.ts"
import { paths } from "../Paths.ts"
import { texts } from "../Texts.ts"
import { Button } from "../ui/Button.tsx"

const t = texts.usage.troubles

export interface Trouble {
  readonly reason: string
  readonly message: string
  readonly needsOwner: boolean
  /** Epoch ms. */
  readonly since: number
}

/** Where the customer can do something about it. */
const inChat: ReadonlyArray<string> = ["BotTokenRejected"]

export const Troubles = ({ troubles }: { readonly troubles: ReadonlyArray<Trouble> }) => (
  // Always there, so that a screen reader speaks what appears in it.
  <div role="status" className="space-y-3 empty:hidden">
    {troubles.map(({ reason, message, needsOwner, since }) => (
      <div
        key={reason}
        className={clsx(
          "flex animate-rise flex-wrap items-start gap-x-4 gap-y-3 rounded-2xl border p-4 sm:p-5",
          needsOwner ? "border-danger/30 bg-danger-soft" : "border-line bg-sunken",
        )}
      >
        <TriangleAlert
          aria-hidden="true"
          className={clsx("mt-0.5 size-5 shrink-0", needsOwner ? "text-danger" : "text-muted")}
        />
        <p className="min-w-0 grow basis-60">
          {message} <span className="text-sm whitespace-nowrap text-muted">{t.since(moment(since))}</span>
        </p>
        {inChat.includes(reason) && (
          <Button asChild look="secondary">
            <Link to={paths.chat}>
              <MessageCircle aria-hidden="true" />
              {t.toChat}
            </Link>
          </Button>
        )}
      </div>
    ))}
  </div>
)
