/** How the pages become files: `src/web` in, `dist/web` out. No inline script or style, so that the policy can forbid both. */
import { soldTiers, tiers } from "@berth/domain/Tiers"
import tailwindcss from "@tailwindcss/vite"
import react from "@vitejs/plugin-react"
import { join } from "node:path"
import { defineConfig, type Plugin } from "vite"

/** The catalogue as plain data: the landing page shows what billing charges without loading the schemas beside it. */
const plans = (): Plugin => ({
  name: "berth-plans",
  resolveId: (id) => (id === "virtual:plans" ? `\0${id}` : undefined),
  load: (id) =>
    id === "\0virtual:plans"
      ? `export const plans = ${JSON.stringify(soldTiers.map((tier) => tiers[tier]))}`
      : undefined,
})

export default defineConfig({
  root: join(import.meta.dirname, "src/web"),
  plugins: [plans(), react(), tailwindcss()],
  build: {
    outDir: join(import.meta.dirname, "dist/web"),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
})
