/** Grey shapes in the place of what is loading, with one spoken label. */
import { clsx } from "clsx"

export const Bone = ({ className }: { readonly className?: string }) => (
  <div aria-hidden="true" className={clsx("animate-pulse rounded-lg bg-line/70", className)} />
)

export const PageSkeleton = ({ label }: { readonly label?: string }) => (
  <div role="status" className="mx-auto w-full max-w-5xl space-y-6 px-5 py-12 sm:px-8">
    {label !== undefined && <span className="sr-only">{label}</span>}
    <Bone className="h-9 w-56" />
    <Bone className="h-40 w-full rounded-2xl" />
    <div className="grid gap-6 sm:grid-cols-2">
      <Bone className="h-48 rounded-2xl" />
      <Bone className="h-48 rounded-2xl" />
    </div>
  </div>
)
