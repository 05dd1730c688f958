/** What Berth is, in one screen, with the chat right there. Its own code is all that it loads. */
import { ArrowDown, Check } from "lucide-react"
import { useState } from "react"
import { plans } from "virtual:plans"
import { ChatStarter } from "../chat/ChatStarter.tsx"
import { compact, gigabytes, money } from "../Format.ts"
import { texts } from "../Texts.ts"
import { Button } from "../ui/Button.tsx"

const t = texts.landing

const Steps = () => (
  <section aria-labelledby="how" className="lg:mt-8">
    <h2 id="how" className="sr-only">
      {t.stepsTitle}
    </h2>
    <ol className="space-y-5">
      {t.steps.map(({ title, text }, place) => (
        <li key={title} className="flex gap-4">
          <span
            aria-hidden="true"
            className="grid size-8 shrink-0 place-items-center rounded-full bg-accent-soft text-sm font-semibold text-accent tabular-nums"
          >
            {place + 1}
          </span>
          <div className="pt-0.5">
            <h3 className="font-semibold tracking-tight">{title}</h3>
            <p className="mt-0.5 max-w-md text-muted">{text}</p>
          </div>
        </li>
      ))}
    </ol>
  </section>
)

/** The three prices at a glance; the plans themselves stand further down. */
const Prices = () => (
  <a
    href="#plans"
    aria-label={t.seePlans}
    className="mt-6 inline-flex min-h-11 flex-wrap items-center gap-x-5 gap-y-1 rounded-lg text-[0.9375rem] hover:text-accent"
  >
    {plans.map((tier) => (
      <span key={tier.id}>
        <span className="text-muted">{tier.name}</span>{" "}
        <span className="font-semibold tabular-nums">{money(tier.monthlyCents)}</span>
        <span className="text-muted">{t.month}</span>
      </span>
    ))}
    <ArrowDown aria-hidden="true" className="hidden size-4 text-muted sm:block" />
  </a>
)

/** "kimi-k2.7-code" → "Kimi K2.7 Code". */
const modelName = (id: string) =>
  id
    .split("-")
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join(" ")

const TierCard = ({ tier, onChoose }: { readonly tier: (typeof plans)[number]; readonly onChoose: () => void }) => {
  const facts = [
    t.tokens(compact(tier.monthlyTokens)),
    tier.models.map(modelName).join(", "),
    t.storage(gigabytes(tier.resources.storage)),
  ]
  return (
    <li className="flex flex-col rounded-3xl border border-line bg-surface p-6 sm:p-7">
      <h3 className="text-lg font-semibold">{tier.name}</h3>
      <p className="mt-1 text-muted">{t.forWhom[tier.id]}</p>
      <p className="mt-6 flex items-baseline gap-2">
        <span className="text-5xl font-semibold tracking-tighter tabular-nums">{money(tier.monthlyCents)}</span>
        <span className="text-muted">{t.perMonth}</span>
      </p>
      <ul className="mt-6 mb-8 space-y-2.5">
        {facts.map((fact, place) => (
          <li key={fact} className="flex gap-3">
            <Check aria-hidden="true" className="mt-0.5 size-5 shrink-0 text-accent" />
            <span className={place === 0 ? "font-medium" : undefined}>{fact}</span>
          </li>
        ))}
      </ul>
      <Button look="secondary" className="mt-auto" onClick={onChoose}>
        {t.choose(tier.name)}
      </Button>
    </li>
  )
}

export const LandingPage = () => {
  const [wish, setWish] = useState<{ readonly text: string }>()
  return (
    <>
      <title>{texts.titles.landing}</title>
      <div className="mx-auto grid w-full max-w-6xl gap-x-16 gap-y-12 px-5 pt-12 pb-16 sm:px-8 lg:grid-cols-[1fr_27rem] lg:items-center lg:pt-14">
        <div>
          <h1 className="text-[2.625rem] leading-[1.05] font-semibold tracking-[-0.035em] sm:text-6xl">{t.headline}</h1>
          <p className="mt-5 max-w-xl text-lg leading-relaxed text-muted sm:text-xl">{t.lead}</p>
          <Prices />
          <div className="hidden lg:block">
            <Steps />
          </div>
        </div>
        <div id="chat" className="scroll-mt-6">
          <ChatStarter wish={wish} />
        </div>
        <div className="lg:hidden">
          <Steps />
        </div>
      </div>
      <section aria-labelledby="plans" className="scroll-mt-4 border-t border-line/70 bg-sunken">
        <div className="mx-auto w-full max-w-6xl px-5 py-16 sm:px-8 sm:py-20">
          <h2 id="plans" className="text-3xl font-semibold sm:text-4xl">
            {t.tiersTitle}
          </h2>
          <p className="mt-3 max-w-xl text-lg leading-relaxed text-muted">{t.tiersLead}</p>
          <ul className="mt-10 grid gap-5 md:grid-cols-3">
            {plans.map((tier) => (
              <TierCard
                key={tier.id}
                tier={tier}
                onChoose={() => {
                  setWish({ text: t.chooseDraft(tier.name) })
                  document.getElementById("chat")?.scrollIntoView({ block: "center" })
                }}
              />
            ))}
          </ul>
        </div>
      </section>
    </>
  )
}
