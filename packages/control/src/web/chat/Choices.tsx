/** Answers that can be given with a tap. */
import { texts } from "../Texts.ts"

export const Choices = ({
  options,
  onChoose,
  disabled = false,
}: {
  readonly options: ReadonlyArray<{ readonly label: string; readonly send: string }>
  readonly onChoose: (send: string) => void
  readonly disabled?: boolean
}) => (
  <ul aria-label={texts.chat.choicesLabel} className="flex flex-wrap gap-2">
    {options.map(({ label, send }) => (
      <li key={send}>
        <button
          type="button"
          disabled={disabled}
          onClick={() => onChoose(send)}
          className="min-h-11 rounded-full border border-accent/40 bg-surface px-4 py-2 text-left text-[0.9375rem] font-medium text-accent transition-colors hover:border-accent hover:bg-accent-soft disabled:opacity-50"
        >
          {label}
        </button>
      </li>
    ))}
  </ul>
)
