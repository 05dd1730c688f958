/** Any address without a page. */
import { Compass } from "lucide-react"
import { Link } from "react-router"
import { paths } from "../Paths.ts"
import { texts } from "../Texts.ts"
import { Button } from "../ui/Button.tsx"
import { Notice } from "../ui/Notice.tsx"

export const NotFoundPage = () => (
  <div className="mx-auto w-full max-w-2xl px-5 py-16 sm:px-8 sm:py-24">
    <title>{texts.titles.notFound}</title>
    <Notice icon={Compass} title={texts.notFound.title} text={texts.notFound.text}>
      <Button asChild>
        <Link to={paths.landing}>{texts.notFound.home}</Link>
      </Button>
      <Button asChild look="secondary">
        <Link to={paths.chat}>{texts.nav.chat}</Link>
      </Button>
    </Notice>
  </div>
)
