/** What stands around every page: skip link, header, and a footer where the page leaves room for it. */
import { clsx } from "clsx"
import { ChartNoAxesColumn, MessageCircle } from "lucide-react"
import { Suspense, useEffect, useRef } from "react"
import { Link, NavLink, Outlet, useLocation } from "react-router"
import { paths } from "../Paths.ts"
import { texts } from "../Texts.ts"
import { Wordmark } from "./Mark.tsx"
import { PageSkeleton } from "./Skeleton.tsx"

const links = [
  { to: paths.chat, label: texts.nav.chat, icon: MessageCircle },
  { to: paths.usage, label: texts.nav.usage, icon: ChartNoAxesColumn },
]

const Header = () => (
  <header className="z-10 border-b border-line/70 bg-paper/85 backdrop-blur">
    <div className="mx-auto flex h-15 w-full max-w-6xl items-center justify-between px-5 sm:px-8">
      <Link to={paths.landing} className="-m-1 rounded-lg p-1" aria-label={texts.name}>
        <Wordmark />
      </Link>
      <nav aria-label={texts.nav.label} className="-mr-3 flex gap-1">
        {links.map(({ to, label, icon: Icon }) => (
          <NavLink
            key={to}
            to={to}
            className={({ isActive }) =>
              clsx(
                "flex min-h-11 items-center gap-2 rounded-xl px-3 text-[0.9375rem] font-medium transition-colors",
                isActive ? "text-accent" : "text-muted hover:text-ink",
              )
            }
          >
            <Icon aria-hidden="true" className="size-4.5" />
            {label}
          </NavLink>
        ))}
      </nav>
    </div>
  </header>
)

const Footer = () => (
  <footer className="border-t border-line/70">
    <div className="mx-auto flex w-full max-w-6xl flex-wrap items-center justify-between gap-x-6 gap-y-2 px-5 py-8 text-sm text-muted sm:px-8">
      <p>{texts.footer.promise}</p>
      <a href="/docs" className="rounded underline-offset-4 hover:text-ink hover:underline">
        {texts.footer.apiDocs}
      </a>
    </div>
  </footer>
)

export const Frame = () => {
  // The chat fills the screen and scrolls inside itself, so that the composer stays under the thumb.
  const { pathname } = useLocation()
  const isFilled = pathname === paths.chat
  const content = useRef<HTMLElement>(null)
  const shown = useRef(pathname)
  useEffect(() => {
    if (shown.current === pathname) return
    shown.current = pathname
    // As after loading a page: from its top, and a screen reader goes on with its content.
    void window.scrollTo(0, 0)
    content.current?.focus({ preventScroll: true })
  }, [pathname])
  return (
    <div className={clsx("flex flex-col", isFilled ? "h-dvh" : "min-h-dvh")}>
      <a
        href="#content"
        className="sr-only z-20 rounded-lg bg-accent px-4 py-2 text-on-accent focus:not-sr-only focus:absolute focus:top-2 focus:left-2"
      >
        {texts.skipToContent}
      </a>
      <Header />
      <main
        id="content"
        ref={content}
        tabIndex={-1}
        className={clsx("flex grow flex-col outline-none", isFilled && "min-h-0")}
      >
        <Suspense fallback={<PageSkeleton />}>
          <Outlet />
        </Suspense>
      </main>
      {!isFilled && <Footer />}
    </div>
  )
}
