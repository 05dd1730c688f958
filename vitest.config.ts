/**
 * Three tiers, one command: unit needs nothing, integration and e2e get a real Postgres and Redis from the global setup. The
 * tiers on a Kubernetes have a command of their own, `npm run test:k8s` (packages/operator/test/cluster).
 */
import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"

const ignored = ["**/node_modules/**", "**/dist/**", "**/.berth/**"]
const servers = { globalSetup: ["packages/domain/src/testing/globalSetup.ts"], hookTimeout: 60_000 }

export default defineConfig({
  test: {
    // Much of the time is spent waiting for servers, so as many files at once as there are cores, and at least two.
    maxWorkers: Math.max(2, availableParallelism()),
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["packages/*/test/**/*.test.ts", "scripts/test/**/*.test.ts"],
          exclude: [...ignored, "**/*.{integration,e2e,k8s,node}.test.ts"],
          testTimeout: 10_000,
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["packages/*/test/**/*.integration.test.ts", "scripts/test/**/*.integration.test.ts"],
          exclude: ignored,
          testTimeout: 30_000,
          ...servers,
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["packages/control/test/e2e/**/*.e2e.test.ts"],
          exclude: ignored,
          testTimeout: 120_000,
          ...servers,
        },
      },
    ],
  },
})
