/** Three tiers, one command: unit needs nothing, integration and e2e get a real Postgres and Redis from the global setup. */
import { defineConfig } from "vitest/config"

const tier = (name: string, include: Array<string>, exclude: Array<string>, testTimeout = 5_000) => ({
  extends: true as const,
  test: {
    name,
    include,
    testTimeout,
    hookTimeout: 60_000,
    exclude: ["**/node_modules/**", "**/dist/**", ".berth/**", ...exclude],
  },
})

export default defineConfig({
  test: {
    projects: [
      tier(
        "unit",
        ["packages/*/test/**/*.test.ts", "scripts/test/**/*.test.ts"],
        ["**/*.integration.test.ts", "**/*.e2e.test.ts"],
      ),
      tier("integration", ["packages/*/test/**/*.integration.test.ts"], [], 30_000),
    ],
  },
})
