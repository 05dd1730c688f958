/** Cards that lead elsewhere: BotFather, Telegram, the payment page, and the finished agent. */
import { Check, CircleCheck, CreditCard, ExternalLink, Lock, Send } from "lucide-react"
import { useEffect, useState, type ReactNode } from "react"
import type { Card } from "../../api/Messages.ts"
import { texts } from "../Texts.ts"
import { Button } from "../ui/Button.tsx"
import { Panel } from "../ui/Panel.tsx"

type Of<Tag extends Card["_tag"]> = Extract<Card, { readonly _tag: Tag }>

const Row = ({
  title,
  text,
  children,
}: {
  readonly title: string
  readonly text: string
  readonly children: ReactNode
}) => (
  <Panel className="flex max-w-md flex-wrap items-center justify-between gap-x-5 gap-y-4 p-5">
    <div className="min-w-0 grow basis-48">
      <h3 className="font-semibold tracking-tight">{title}</h3>
      <p className="mt-1 text-sm leading-relaxed text-muted">{text}</p>
    </div>
    {children}
  </Panel>
)

export const BotFatherCard = ({ card }: { readonly card: Of<"BotFatherLink"> }) => (
  <Row title={texts.botFather.title} text={texts.botFather.text}>
    <Button asChild look="secondary">
      <a href={card.url} target="_blank" rel="noreferrer">
        BotFather
        <ExternalLink aria-hidden="true" />
      </a>
    </Button>
  </Row>
)

/** Minutes until then, kept current; 0 once it is past. */
const useMinutesLeft = (until: number): number => {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 5_000)
    return () => clearInterval(timer)
  }, [])
  return Math.max(0, Math.ceil((until - now) / 60_000))
}

export const TelegramCard = ({
  card,
  isOpen,
  onSay,
}: {
  readonly card: Of<"TelegramLink">
  readonly isOpen: boolean
  readonly onSay: (text: string) => void
}) => {
  const minutes = useMinutesLeft(card.expiresAt)
  if (!isOpen) return null
  return minutes === 0 ? (
    <Row title={texts.telegram.title} text={texts.telegram.expired}>
      <Button look="secondary" onClick={() => onSay(texts.telegram.renewMessage)}>
        {texts.telegram.renew}
      </Button>
    </Row>
  ) : (
    <Row title={texts.telegram.title} text={texts.telegram.text(minutes)}>
      <Button asChild>
        <a href={card.url} target="_blank" rel="noreferrer">
          <Send aria-hidden="true" />
          Telegram
        </a>
      </Button>
    </Row>
  )
}

export const CheckoutCard = ({ card, isPaid }: { readonly card: Of<"Checkout">; readonly isPaid: boolean }) => (
  <Panel className="max-w-md p-5">
    <div className="flex items-start justify-between gap-4">
      <div>
        <h3 className="font-semibold tracking-tight">{texts.checkout.title}</h3>
        <p className="mt-1 text-sm text-muted">{card.headline}</p>
      </div>
      <CreditCard aria-hidden="true" className="size-5 text-muted" />
    </div>
    {isPaid ? (
      <p className="mt-4 flex items-center gap-2 font-medium text-accent">
        <Check aria-hidden="true" className="size-5" />
        {texts.checkout.done}
      </p>
    ) : (
      <>
        <Button asChild className="mt-4 w-full">
          <a href={card.url}>{texts.checkout.pay(card.headline)}</a>
        </Button>
        <p className="mt-3 flex items-center justify-center gap-1.5 text-xs text-muted">
          <Lock aria-hidden="true" className="size-3.5" />
          {texts.checkout.note}
        </p>
      </>
    )}
  </Panel>
)

export const LiveCard = ({ botUsername, url }: { readonly botUsername: string; readonly url: string }) => (
  <section className="max-w-md rounded-2xl bg-accent p-5 text-on-accent">
    <CircleCheck aria-hidden="true" className="size-7" />
    <h3 className="mt-3 text-xl font-semibold">{texts.live.title}</h3>
    <p className="mt-1">{texts.live.text(botUsername)}</p>
    <a
      href={url}
      target="_blank"
      rel="noreferrer"
      className="mt-4 inline-flex min-h-11 items-center gap-2 rounded-xl bg-on-accent px-4.5 text-[0.9375rem] font-medium text-accent transition-opacity outline-offset-2 hover:opacity-90 focus-visible:outline-on-accent"
    >
      <Send aria-hidden="true" className="size-4.5" />
      {texts.live.open(botUsername)}
    </a>
  </section>
)
