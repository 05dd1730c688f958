/** Answers that can be given with a tap. */
import { clsx } from "clsx"
import { texts } from "../Texts.ts"

export const Choices = ({
  options,
  onChoose,
  isMain = false,
}: {
  readonly options: ReadonlyArray<{ readonly label: string; readonly send: string }>
  readonly onChoose: (send: string) => void
  /** The way on, such as taking an offer: shown as a filled button. */
  readonly isMain?: boolean
}) => (
  <ul aria-label={texts.chat.choicesLabel} className="flex flex-wrap gap-2">
    {options.map(({ label, send }) => (
      <li key={send}>
        <button
          type="button"
          onClick={() => onChoose(send)}
          className={clsx(
            "min-h-11 rounded-full border px-4 py-2 text-left text-[0.9375rem] font-medium transition-colors",
            isMain
              ? "border-accent bg-accent text-on-accent hover:bg-accent-strong"
              : "border-accent/40 bg-surface text-accent hover:border-accent hover:bg-accent-soft",
          )}
        >
          {label}
        </button>
      </li>
    ))}
  </ul>
)
