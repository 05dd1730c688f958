/** Where the payment page sends people who left it. The offer stands; the way back to it is one tap. */
import { useQuery } from "@tanstack/react-query"
import { Undo2 } from "lucide-react"
import { Link, Navigate, useSearchParams } from "react-router"
import { Data } from "../client/Data.tsx"
import { orderQuery } from "../client/Queries.ts"
import { paths } from "../Paths.ts"
import { texts } from "../Texts.ts"
import { Button } from "../ui/Button.tsx"
import { Notice } from "../ui/Notice.tsx"

const t = texts.canceled

const Result = () => {
  const [search] = useSearchParams()
  const id = search.get("order") ?? ""
  const { data: order } = useQuery({ ...orderQuery(id), enabled: id !== "" })
  // Paid after all, in another tab or just before leaving.
  if (order?.status === "paid") return <Navigate replace to={`${paths.success}?order=${encodeURIComponent(id)}`} />
  const checkoutUrl = order?.status === "open" ? order.checkoutUrl : null
  return (
    <Notice icon={Undo2} title={t.title} text={t.text}>
      {checkoutUrl !== null && (
        <Button asChild>
          <a href={checkoutUrl}>{t.resume}</a>
        </Button>
      )}
      <Button asChild look={checkoutUrl === null ? "primary" : "secondary"}>
        <Link to={paths.chat}>{t.toChat}</Link>
      </Button>
    </Notice>
  )
}

const CanceledPage = () => (
  <Data>
    <title>{texts.titles.canceled}</title>
    <div className="mx-auto w-full max-w-2xl px-5 py-12 sm:px-8 sm:py-20">
      <Result />
    </div>
  </Data>
)
export default CanceledPage
