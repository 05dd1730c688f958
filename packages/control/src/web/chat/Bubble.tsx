/** One turn of the conversation: who says it is told by side, colour and, to a screen reader, by name. */
import { clsx } from "clsx"
import type { ReactNode } from "react"
import { texts } from "../Texts.ts"
import { Mark } from "../ui/Mark.tsx"

const link = /(https?:\/\/[^\s<>"')\]]+[^\s<>"')\].,;:!?])/

/** Plain words with their links made clickable; nothing else is interpreted. */
export const Words = ({ text }: { readonly text: string }) => (
  <>
    {text.split(link).map((part, place) =>
      place % 2 === 1 ? (
        // oxlint-disable-next-line react/no-array-index-key
        <a key={place} href={part} target="_blank" rel="noreferrer" className="underline underline-offset-4">
          {part}
        </a>
      ) : (
        part
      ),
    )}
  </>
)

export const Bubble = ({
  from,
  faded = false,
  text,
  children,
}: {
  readonly from: "user" | "assistant"
  readonly faded?: boolean
  readonly text?: string
  readonly children?: ReactNode
}) =>
  from === "user" ? (
    <div className="flex animate-rise flex-col items-end">
      <div
        className={clsx(
          "max-w-[85%] rounded-2xl rounded-br-md bg-accent px-4 py-2.5 leading-relaxed wrap-anywhere whitespace-pre-wrap text-on-accent transition-opacity",
          faded && "opacity-60",
        )}
      >
        <span className="sr-only">{texts.chat.you}: </span>
        {text !== undefined && <Words text={text} />}
      </div>
      {children}
    </div>
  ) : (
    <div className="flex animate-rise gap-3">
      <Mark className="mt-0.5 size-7 shrink-0" />
      <div className="min-w-0 grow space-y-3">
        {text !== undefined && (
          <p className="max-w-prose pt-0.5 leading-relaxed wrap-anywhere whitespace-pre-wrap">
            <span className="sr-only">{texts.chat.berth}: </span>
            <Words text={text} />
          </p>
        )}
        {children}
      </div>
    </div>
  )

export const Typing = () => (
  <Bubble from="assistant">
    <div role="status" className="flex h-8 items-center gap-1.5">
      <span className="sr-only">{texts.chat.typing}</span>
      {["0s", "0.15s", "0.3s"].map((animationDelay) => (
        <span
          key={animationDelay}
          aria-hidden="true"
          style={{ animationDelay }}
          className="size-2 animate-dot rounded-full bg-muted"
        />
      ))}
    </div>
  </Bubble>
)
