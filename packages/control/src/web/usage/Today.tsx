/** Today's tokens against the customer's own daily cap, and the small form that sets or clears it. */
import { useMutation } from "@tanstack/react-query"
import { type SubmitEvent, useId, useState } from "react"
import { setDailyCap } from "../client/Client.ts"
import { failureOf } from "../client/Failure.ts"
import { keepDailyCap } from "../client/Queries.ts"
import { clock, compact, full, tokensIn } from "../Format.ts"
import { texts } from "../Texts.ts"
import { Button } from "../ui/Button.tsx"
import { Bar } from "./Bar.tsx"
import { Figure, Warning } from "./Figure.tsx"

const t = texts.usage.today

interface Day {
  readonly used: number
  readonly cap: number | null
  readonly resetsAt: number
}

const CapForm = ({
  cap,
  least,
  most,
}: {
  readonly cap: number | null
  readonly least: number
  readonly most: number
}) => {
  const id = useId()
  const [typed, setTyped] = useState<string>()
  const [complaint, setComplaint] = useState<string>()
  const saving = useMutation({
    mutationFn: setDailyCap,
    onSuccess: (answer) => {
      keepDailyCap(answer.cap)
      setTyped(undefined)
    },
    onError: (error) => {
      const { kind, message } = failureOf(error)
      setComplaint(kind === "rejected" && message !== "" ? message : texts.failures[kind])
    },
  })
  const save = (next: number | null) => {
    setComplaint(undefined)
    saving.mutate(next)
  }
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const next = tokensIn(typed ?? "")
    if (next === undefined || next < least || next > most) return setComplaint(t.range(full(least), full(most)))
    save(next)
  }
  const shown = typed ?? (cap === null ? "" : full(cap))
  return (
    <form onSubmit={submit} noValidate className="mt-6 border-t border-line pt-5">
      <div className="-my-2 flex min-h-11 items-center justify-between gap-4">
        <label htmlFor={id} className="text-sm font-medium">
          {t.label}
        </label>
        {cap !== null && (
          <Button look="quiet" className="-mr-3 px-3" disabled={saving.isPending} onClick={() => save(null)}>
            {t.clear}
          </Button>
        )}
      </div>
      <div className="mt-3 flex gap-2">
        <input
          id={id}
          inputMode="numeric"
          autoComplete="off"
          placeholder={t.placeholder}
          value={shown}
          onChange={({ target }) => {
            setTyped(target.value)
            setComplaint(undefined)
            saving.reset()
          }}
          aria-describedby={`${id}-hint`}
          aria-invalid={complaint !== undefined}
          className="min-h-11 w-0 min-w-0 grow rounded-xl border border-line bg-paper px-3.5 tabular-nums placeholder:text-muted aria-invalid:border-danger"
        />
        <Button type="submit" disabled={saving.isPending || typed === undefined}>
          {t.save}
        </Button>
      </div>
      <p id={`${id}-hint`} className="mt-2.5 text-sm text-muted">
        {complaint === undefined ? t.hint : <span className="text-danger">{complaint}</span>}
      </p>
      <p role="status" className="sr-only">
        {complaint ?? (saving.isSuccess ? t.saved(saving.data.cap === null ? null : full(saving.data.cap)) : "")}
      </p>
    </form>
  )
}

export const Today = ({ day, least, most }: { readonly day: Day; readonly least: number; readonly most: number }) => {
  const { used, cap, resetsAt } = day
  const isReached = cap !== null && used >= cap
  return (
    <Figure
      id="today"
      title={t.title}
      aside={t.resets(clock(resetsAt))}
      tokens={used}
      of={cap === null ? t.noCap : texts.usage.ofLimit(compact(cap))}
    >
      {cap !== null && (
        <Bar
          label={texts.usage.barLabel(full(used), full(cap))}
          value={used}
          max={cap}
          parts={[{ tokens: used, className: isReached ? "bg-danger" : "bg-accent" }]}
          className="mt-5 h-3"
        />
      )}
      {isReached && <Warning>{t.reached(clock(resetsAt))}</Warning>}
      <CapForm cap={cap} least={least} most={most} />
    </Figure>
  )
}
