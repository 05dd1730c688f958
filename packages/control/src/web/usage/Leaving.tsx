/** The way out: the data of an agent that was deleted, and the small form that has one deleted. */
import { useMutation } from "@tanstack/react-query"
import { Download } from "lucide-react"
import { type SubmitEvent, useId, useState } from "react"
import { deleteAgent } from "../client/Client.ts"
import { failureOf } from "../client/Failure.ts"
import { agentQuery, cache } from "../client/Queries.ts"
import { bytes, day } from "../Format.ts"
import { texts } from "../Texts.ts"
import { Button } from "../ui/Button.tsx"
import { Panel } from "../ui/Panel.tsx"

const t = texts.usage.leaving

export interface Export {
  readonly url: string
  readonly size: number
  readonly expiresAt: number
}

/** What is left of a deleted agent, while it lasts. */
export const ExportNotice = ({ url, size, expiresAt }: Export) => (
  <Panel aria-label={t.ready} className="flex flex-wrap items-center justify-between gap-x-8 gap-y-4 p-6">
    <div className="min-w-0">
      <h2 className="font-semibold">{t.ready}</h2>
      <p className="mt-1 max-w-prose text-sm text-muted">{t.readyText(bytes(size), day(expiresAt))}</p>
    </div>
    <Button asChild>
      <a href={url} download>
        <Download aria-hidden="true" />
        {t.fetch}
      </a>
    </Button>
  </Panel>
)

export const DeleteAgent = ({ botUsername }: { readonly botUsername: string }) => {
  const id = useId()
  const [isOpen, setOpen] = useState(false)
  const [typed, setTyped] = useState("")
  const [complaint, setComplaint] = useState<string>()
  const deleting = useMutation({
    mutationFn: deleteAgent,
    onSuccess: () => cache.invalidateQueries({ queryKey: agentQuery.queryKey }),
    onError: (error) => {
      const { kind, message } = failureOf(error)
      setComplaint(kind === "rejected" && message !== "" ? message : texts.failures[kind])
    },
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    setComplaint(undefined)
    deleting.mutate(typed)
  }
  if (deleting.isSuccess)
    return (
      <p role="status" className="text-sm text-muted">
        {t.asked}
      </p>
    )
  if (!isOpen)
    return (
      <Button look="quiet" className="-ml-4.5" onClick={() => setOpen(true)}>
        {t.open}
      </Button>
    )
  return (
    <form onSubmit={submit} noValidate className="max-w-xl">
      <h2 className="font-semibold">{t.title}</h2>
      <p className="mt-1 text-sm text-muted">{t.text}</p>
      <label htmlFor={id} className="mt-5 block text-sm font-medium">
        {t.label(botUsername)}
      </label>
      <div className="mt-2 flex flex-wrap gap-2">
        <input
          id={id}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={typed}
          onChange={({ target }) => setTyped(target.value)}
          aria-describedby={`${id}-complaint`}
          aria-invalid={complaint !== undefined}
          className="min-h-11 w-0 min-w-40 grow rounded-xl border border-line bg-paper px-3.5 aria-invalid:border-danger"
        />
        <Button type="submit" look="secondary" disabled={deleting.isPending || typed.trim() === ""}>
          {t.submit}
        </Button>
        <Button look="quiet" onClick={() => setOpen(false)}>
          {t.cancel}
        </Button>
      </div>
      <p id={`${id}-complaint`} role="alert" className="mt-2.5 text-sm text-danger">
        {complaint ?? ""}
      </p>
    </form>
  )
}
