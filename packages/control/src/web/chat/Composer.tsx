/** Where one types. Enter sends, Shift+Enter starts a line; half-composed input of an IME is never sent. */
import { ArrowUp } from "lucide-react"
import { useId, type Ref } from "react"
import { texts } from "../Texts.ts"

export const Composer = ({
  draft,
  onDraft,
  onSend,
  onFocus,
  inputRef,
  disabled = false,
}: {
  readonly draft: string
  readonly onDraft: (draft: string) => void
  readonly onSend: (text: string) => void
  readonly onFocus?: () => void
  readonly inputRef?: Ref<HTMLTextAreaElement>
  readonly disabled?: boolean
}) => {
  const id = useId()
  const send = () => {
    const text = draft.trim()
    if (text === "" || disabled) return
    onDraft("")
    onSend(text)
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
      className="flex items-end gap-2 rounded-2xl border border-line bg-sunken p-1.5 transition-colors focus-within:border-accent"
    >
      <label htmlFor={id} className="sr-only">
        {texts.chat.inputLabel}
      </label>
      <textarea
        id={id}
        ref={inputRef}
        rows={1}
        value={draft}
        placeholder={texts.chat.placeholder}
        onChange={(event) => onDraft(event.target.value)}
        onFocus={onFocus}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return
          event.preventDefault()
          send()
        }}
        autoComplete="off"
        enterKeyHint="send"
        className="field-sizing-content max-h-40 min-h-11 grow resize-none bg-transparent px-3 py-2.5 text-base leading-6 outline-none placeholder:text-muted"
      />
      <button
        type="submit"
        disabled={disabled || draft.trim() === ""}
        aria-label={texts.chat.send}
        className="grid size-11 shrink-0 place-items-center rounded-xl bg-accent text-on-accent transition hover:bg-accent-strong disabled:bg-line disabled:text-muted"
      >
        <ArrowUp aria-hidden="true" className="size-5" strokeWidth={2.25} />
      </button>
    </form>
  )
}
