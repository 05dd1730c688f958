/** The browser's entry: pages by path. The landing page is here; the others, and the chat itself, load when wanted. */
import "./Style.css"
import { lazy, StrictMode } from "react"
import { createRoot } from "react-dom/client"
import { BrowserRouter, Route, Routes } from "react-router"
import { Crashed } from "./pages/Crashed.tsx"
import { LandingPage } from "./pages/LandingPage.tsx"
import { NotFoundPage } from "./pages/NotFoundPage.tsx"
import { paths } from "./Paths.ts"
import { Boundary } from "./ui/Boundary.tsx"
import { Frame } from "./ui/Frame.tsx"

const ChatPage = lazy(() => import("./pages/ChatPage.tsx"))
const UsagePage = lazy(() => import("./pages/UsagePage.tsx"))
const SuccessPage = lazy(() => import("./pages/SuccessPage.tsx"))
const CanceledPage = lazy(() => import("./pages/CanceledPage.tsx"))

const root = document.getElementById("root")
if (root === null) throw new Error("the page has no root element")
createRoot(root).render(
  <StrictMode>
    <Boundary fallback={<Crashed />}>
      <BrowserRouter>
        <Routes>
          <Route element={<Frame />}>
            <Route path={paths.landing} element={<LandingPage />} />
            <Route path={paths.chat} element={<ChatPage />} />
            <Route path={paths.usage} element={<UsagePage />} />
            <Route path={paths.success} element={<SuccessPage />} />
            <Route path={paths.canceled} element={<CanceledPage />} />
            <Route path="*" element={<NotFoundPage />} />
          </Route>
        </Routes>
      </BrowserRouter>
    </Boundary>
  </StrictMode>,
)
