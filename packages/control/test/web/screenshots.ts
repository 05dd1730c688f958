/**
 * Walks through every page and state in Chromium over the fake backend and keeps a picture of each, on phone and desktop
 * width, light and dark, in `.berth/screenshots/`. Exits 1 if a step of the story fails, the console shows an error or a
 * page is wider than the screen. `node test/web/screenshots.ts [name…]`; CHROMIUM names the browser.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core"
import { latestStory, layer, pace } from "./FakeBackend.ts"

const port = 3219
const origin = `http://127.0.0.1:${port}`
const folder = join(import.meta.dirname, "../../../../.berth/screenshots")
const looks = [
  { name: "phone-light", width: 390, height: 844, colorScheme: "light" },
  { name: "phone-dark", width: 390, height: 844, colorScheme: "dark" },
  { name: "desktop-light", width: 1280, height: 800, colorScheme: "light" },
  { name: "desktop-dark", width: 1280, height: 800, colorScheme: "dark" },
] as const
const wanted = process.argv.slice(2)
const problems: Array<string> = []

const story = () => {
  const current = latestStory()
  if (current === undefined) throw new Error("nobody has opened a session")
  return current
}

const walk = async (browser: Browser, look: (typeof looks)[number]) => {
  const open = async (): Promise<readonly [BrowserContext, Page]> => {
    const context = await browser.newContext({
      viewport: { width: look.width, height: look.height },
      colorScheme: look.colorScheme,
      deviceScaleFactor: 1,
    })
    context.setDefaultTimeout(10_000)
    const page = await context.newPage()
    page.on("console", (message) => {
      // Refused calls are part of the story; a blocked script or a broken component is not.
      if (message.type() === "error" && !/Failed to load resource|WebSocket/.test(message.text())) {
        problems.push(`${look.name}: ${message.text()}`)
      }
    })
    page.on("pageerror", (error) => problems.push(`${look.name}: ${error.message}`))
    return [context, page]
  }
  const shoot = async (page: Page, name: string, fullPage = false) => {
    await page.waitForTimeout(450)
    const overflow = await page.evaluate<number>("document.documentElement.scrollWidth - window.innerWidth")
    if (overflow > 0) problems.push(`${look.name}: ${name} is ${overflow} px too wide`)
    await page.screenshot({ path: join(folder, `${name}.${look.name}.png`), fullPage })
  }
  const say = async (page: Page, text: string) => {
    await page.getByLabel("Your message").fill(text)
    await page.getByRole("button", { name: "Send" }).click()
  }
  const isPhone = look.width < 768

  const [context, page] = await open()
  await page.goto(origin)
  await shoot(page, "01-landing", true)
  await page.getByRole("button", { name: "Start with Pro" }).click()
  await shoot(page, "02-landing-plan-picked")
  await page.getByRole("button", { name: /Python/ }).click()
  await shoot(page, "03-first-words")
  await page.getByRole("button", { name: "10 or so" }).waitFor()
  await shoot(page, "04-choices")
  if (!isPhone) await page.getByRole("link", { name: /own page/ }).click()
  await page.getByRole("button", { name: "10 or so" }).click()
  await page.getByRole("link", { name: "BotFather" }).waitFor()
  await shoot(page, "05-botfather")
  await say(page, "It is 123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0, thanks")
  await page.getByRole("link", { name: "Telegram", exact: true }).waitFor()
  await shoot(page, "06-telegram")
  await say(page, "Yes, that is me")
  await page.getByRole("link", { name: /Pay/ }).waitFor()
  await shoot(page, "07-offer")

  // A server that is away: the words stay, and the customer may try again.
  await page.route("**/messages", (route) =>
    route.fulfill({
      status: 422,
      json: { _tag: "Rejected", message: "That is too much at once. Please wait a minute." },
    }),
  )
  await say(page, "What happens if I use up all tokens?")
  await page.getByRole("button", { name: "Try again" }).waitFor()
  await shoot(page, "08-not-sent")
  await page.unroute("**/messages")
  await page.getByRole("button", { name: "Try again" }).click()
  await page.getByText("I am here if you need anything else.").waitFor()

  await page.goto(`${origin}/checkout/canceled?order=${story().orderId}`)
  await page.getByRole("link", { name: "Return to payment" }).waitFor()
  await shoot(page, "09-canceled")
  await page.goto(`${origin}/checkout/success?order=${story().orderId}`)
  await shoot(page, "10-confirming")
  pace.step = 0
  story().pay()
  await page.getByText("Payment received. Thank you!").waitFor()
  for (let step = 0; step < 4; step += 1) {
    story().advance()
    await page.waitForTimeout(150)
  }
  await shoot(page, "11-success-provisioning", true)
  await page.getByRole("link", { name: "Back to the chat" }).click()
  await page.getByText("4 of 10").waitFor()
  await shoot(page, "12-chat-provisioning")
  story().fail()
  await page.getByText("Setting up stopped").waitFor()
  await shoot(page, "13-chat-failed")
  await page.goto(`${origin}/checkout/success?order=${story().orderId}`)
  await page.getByText("Paid, but setting up stopped").waitFor()
  await shoot(page, "14-success-failed", true)
  story().phase = "provisioning"
  while (story().advance()) await page.waitForTimeout(40)
  await page.getByRole("heading", { name: "Your agent is live!" }).waitFor()
  await shoot(page, "15-success-live", true)
  await page.getByRole("link", { name: "Back to the chat" }).click()
  await page.getByRole("link", { name: /Open @/ }).waitFor()
  await shoot(page, "16-chat-live")

  await page.getByRole("link", { name: "Usage" }).click()
  await page.getByText("Recent calls").first().waitFor()
  await shoot(page, "17-usage", true)
  await page.getByText("Recent log lines").click()
  const newest = page.getByText("[agent] turn 30 done")
  await newest.waitFor()
  const below = await newest.evaluate((line) => {
    const box = line.closest("ol")
    return box === null ? 0 : line.getBoundingClientRect().bottom - box.getBoundingClientRect().bottom
  })
  if (below > 0) problems.push(`${look.name}: the newest line of the log is ${below} px out of sight`)
  await shoot(page, "17a-usage-log", true)
  await page.getByText("Recent log lines").click()
  story().troubles = [
    {
      reason: "BotTokenRejected",
      message:
        "Telegram rejects your bot's token: it was replaced, or its bot was deleted. Get the current one from BotFather (/token) and send it to us in the chat.",
      needsOwner: true,
      since: Date.now() - 5_400_000,
    },
    {
      reason: "DiskNearlyFull",
      message:
        "Your agent's storage is nearly full. Ask it to delete files that it no longer needs; a larger plan has more room.",
      needsOwner: true,
      since: Date.now() - 5_400_000,
    },
  ]
  story().restarts = 2
  story().stored = 9_700_000_000
  await page.reload()
  await page.getByRole("link", { name: "Send the new token" }).waitFor()
  await page.getByText("Recent log lines").click()
  await page.getByLabel("Before the last restart").check()
  await page.getByText("FATAL: out of memory").waitFor()
  await shoot(page, "17b-usage-troubles", true)
  story().troubles = []
  story().stored = 1_900_000_000
  await page.reload()
  await page.getByText("Recent calls").first().waitFor()
  await page.route("**/api/agent/health", (route) => route.fulfill({ status: 503, body: "" }))
  await page.reload()
  await page.getByText("We can’t look at your agent right now").waitFor({ timeout: 40_000 })
  await shoot(page, "17c-usage-health-away", true)
  await page.unroute("**/api/agent/health")
  const { used, limit, resetsAt } = story().usageView()
  story().tell({ _tag: "usage.alert", percent: 50, used, limit, period: 0, resetsAt })
  await page.getByText("Half of this month’s tokens are used.").waitFor()
  await shoot(page, "18-usage-alert", true)
  await page.getByLabel("Daily cap").fill("900")
  await page.getByRole("button", { name: "Save" }).click()
  await page.getByText("Please enter a number from 50,000").first().waitFor()
  await shoot(page, "19-usage-cap-refused", true)
  await page.getByLabel("Daily cap").fill("90k")
  await page.getByRole("button", { name: "Save" }).click()
  await page.getByText("Today’s cap is reached").waitFor()
  story().usage = { background: { used: 1_000_000, cap: 1_000_000 } }
  await page.getByText("It has used its share").waitFor()
  await page.getByRole("button", { name: "Close this notice" }).click()
  await shoot(page, "20-usage-capped", true)
  story().tell({ _tag: "usage.alert", percent: 100, used: limit, limit, period: 0, resetsAt })
  story().usage = { used: 5_000_000, held: 0 }
  await page.getByText("Used up.").waitFor()
  await shoot(page, "21-usage-at-limit", true)
  const nothing = { used: 0, held: 0, days: [], recent: [], models: [], background: { used: 0, cap: 1_000_000 } }
  story().usage = nothing
  await page.getByText("No calls yet. Write").waitFor()
  story().phase = "suspended"
  await page.getByText("Suspended", { exact: true }).waitFor()
  await shoot(page, "22-usage-empty-suspended", true)
  await page.getByRole("button", { name: "Delete this agent" }).click()
  await page.getByLabel(/Type .* to go on/).fill("somebody else's")
  await page.getByRole("button", { name: "Delete", exact: true }).click()
  await page.getByText(/type its name/).waitFor()
  await shoot(page, "22a-usage-delete-refused", true)
  await page.getByLabel(/Type .* to go on/).fill(story().agent()?.botUsername ?? "")
  await page.getByRole("button", { name: "Delete", exact: true }).click()
  await page.getByRole("link", { name: "Download" }).waitFor()
  await shoot(page, "22b-usage-deleted", true)
  await page.route("**/api/usage", (route) => route.fulfill({ status: 503, body: "" }))
  await page.route("**/api/agent", (route) => route.fulfill({ status: 503, body: "" }))
  await page.getByText("Showing the last known numbers").waitFor()
  await shoot(page, "23-usage-stale")
  await context.close()

  const [fresh, other] = await open()
  await other.goto(`${origin}/usage`)
  await other.getByText("No agent here yet").waitFor()
  await shoot(other, "24-usage-none")
  await other.goto(`${origin}/nowhere`)
  await shoot(other, "25-not-found")
  await other.goto(`${origin}/checkout/success?order=other`)
  await other.getByText("We cannot find this order").waitFor()
  await shoot(other, "26-success-unknown")
  await other.route("**/api/session", (route) => route.fulfill({ status: 503, body: "" }))
  await other.goto(`${origin}/chat`)
  await shoot(other, "27-chat-loading")
  await other.getByRole("button", { name: "Try again" }).waitFor({ timeout: 40_000 })
  await shoot(other, "28-chat-unavailable")
  await fresh.close()
}

const browse = Effect.gen(function* () {
  mkdirSync(folder, { recursive: true })
  const server = yield* Effect.forkChild(Layer.launch(layer(port)))
  yield* Effect.promise(async () => {
    const answers = async (): Promise<boolean> =>
      fetch(origin).then(
        () => true,
        () => false,
      )
    while (!(await answers())) await new Promise((resolve) => setTimeout(resolve, 100))
    const browser = await chromium.launch({
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    })
    try {
      for (const look of looks.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
        await walk(browser, look)
        console.log(`walked through ${look.name}`)
      }
    } finally {
      await browser.close()
    }
  })
  yield* Fiber.interrupt(server)
})

await Effect.runPromise(browse).catch((error: unknown) => {
  problems.push(error instanceof Error ? error.message : String(error))
})
for (const problem of problems) console.error(problem)
console.log(`${folder}: ${problems.length} problems`)
process.exit(problems.length === 0 ? 0 : 1)
