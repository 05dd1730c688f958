/** Shown when a page breaks, such as a part of it that could not be loaded after a new version was put online. */
import { TriangleAlert } from "lucide-react"
import { texts } from "../Texts.ts"
import { Button } from "../ui/Button.tsx"
import { Notice } from "../ui/Notice.tsx"

export const Crashed = () => (
  <main className="mx-auto w-full max-w-2xl px-5 py-16 sm:px-8 sm:py-24">
    <Notice icon={TriangleAlert} tone="bad" title={texts.crashed.title} text={texts.crashed.text}>
      <Button onClick={() => location.reload()}>{texts.crashed.reload}</Button>
    </Notice>
  </main>
)
