/** The offer: plan, price, tokens, the sum behind it, and what else could be had. */
import { tiers, type SoldTierId } from "@berth/domain/Tiers"
import { Progress } from "radix-ui"
import type { Card } from "../../api/Messages.ts"
import { compact, money, percent } from "../Format.ts"
import { texts } from "../Texts.ts"
import { Panel } from "../ui/Panel.tsx"

export const OfferCard = ({
  card,
  onChoose,
  isOpen,
}: {
  readonly card: Extract<Card, { readonly _tag: "Offer" }>
  readonly onChoose: (send: string) => void
  /** Whether another plan can still be chosen by a tap. */
  readonly isOpen: boolean
}) => {
  const tier = tiers[card.tier]
  const limit = tier.monthlyTokens
  const isAbove = card.expectedTokens > limit
  const expected = compact(card.expectedTokens)
  const name = (id: SoldTierId) => tiers[id].name
  return (
    <Panel aria-label={card.headline} className="max-w-md overflow-hidden">
      <div className="p-5">
        <p className="text-sm font-medium text-accent">{texts.offer.label}</p>
        <div className="mt-2 flex flex-wrap items-baseline justify-between gap-x-4">
          <h3 className="text-2xl font-semibold">{tier.name}</h3>
          <p className="text-2xl font-semibold tracking-tight tabular-nums">
            {money(tier.monthlyCents)}
            <span className="text-base font-normal text-muted">{texts.offer.perMonth}</span>
          </p>
        </div>
        <p className="mt-1 text-muted">{texts.offer.tokens(compact(limit))}</p>
        <Progress.Root
          value={Math.min(card.expectedTokens, limit)}
          max={limit}
          aria-label={texts.offer.expectedLabel}
          className="mt-5 h-2 overflow-hidden rounded-full bg-line"
        >
          <Progress.Indicator
            className="h-full rounded-full bg-accent"
            style={{ width: `${percent(card.expectedTokens, limit)}%` }}
          />
        </Progress.Root>
        <p className="mt-2 text-sm text-muted tabular-nums">
          {isAbove ? texts.offer.above(expected) : texts.offer.expected(expected, compact(limit))}
        </p>
      </div>
      <div className="border-t border-line bg-sunken px-5 py-4">
        <h4 className="text-sm font-medium">{texts.offer.why}</h4>
        <p className="mt-1 text-sm leading-relaxed whitespace-pre-wrap text-muted">{card.reason}</p>
      </div>
      {isOpen && card.alternatives.length > 0 && (
        <div className="border-t border-line px-5 pt-4 pb-3">
          <h4 className="text-sm font-medium">{texts.offer.alternatives}</h4>
          <ul className="-mx-3 mt-1">
            {card.alternatives.map((other) => (
              <li key={other.tier}>
                <button
                  type="button"
                  onClick={() => onChoose(texts.offer.choose(name(other.tier)))}
                  className="flex min-h-11 w-full items-center justify-between gap-3 rounded-xl px-3 text-left text-sm transition-colors hover:bg-accent-soft hover:text-accent"
                >
                  <span className="font-medium">{name(other.tier)}</span>
                  <span className="text-muted tabular-nums">{other.headline.split(" · ").slice(1).join(" · ")}</span>
                </button>
              </li>
            ))}
          </ul>
        </div>
      )}
    </Panel>
  )
}
