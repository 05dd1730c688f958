/** Three tiers, one command: unit needs nothing, integration and e2e get a real Postgres and Redis from the global setup. */
import { defineConfig } from "vitest/config"

const tier = (name: string, include: Array<string>, exclude: Array<string>) => ({
  extends: true as const,
  test: { name, include, exclude: ["**/node_modules/**", "**/dist/**", ".berth/**", ...exclude] },
})

export default defineConfig({
  test: {
    projects: [
      tier(
        "unit",
        ["packages/*/test/**/*.test.ts", "scripts/test/**/*.test.ts"],
        ["**/*.integration.test.ts", "**/*.e2e.test.ts"],
      ),
    ],
  },
})
