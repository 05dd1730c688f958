/** Buttons, and links that look like them (`asChild`). At least 44 px high, so that a thumb finds them. */
import { clsx } from "clsx"
import { Slot } from "radix-ui"
import type { ComponentProps } from "react"

const looks = {
  primary: "bg-accent text-on-accent hover:bg-accent-strong",
  secondary: "border border-line bg-surface text-ink hover:border-accent hover:text-accent",
  quiet: "text-muted hover:bg-sunken hover:text-ink",
}

export const Button = ({
  look = "primary",
  asChild = false,
  className,
  ...rest
}: ComponentProps<"button"> & { readonly look?: keyof typeof looks; readonly asChild?: boolean }) => {
  const Element = asChild ? Slot.Root : "button"
  return (
    <Element
      {...(asChild ? {} : { type: "button" as const })}
      {...rest}
      className={clsx(
        "inline-flex min-h-11 items-center justify-center gap-2 rounded-xl px-4.5 text-[0.9375rem] font-medium transition-colors",
        "disabled:pointer-events-none disabled:opacity-50 [&_svg]:size-4.5 [&_svg]:shrink-0",
        looks[look],
        className,
      )}
    />
  )
}
