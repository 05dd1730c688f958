/** The tiers that need a Kubernetes of their own: `npm run test:k8s`. `npm test` runs none of them. */
import { join } from "node:path"
import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"

const tier = {
  globalSetup: [join(import.meta.dirname, "globalSetup.ts")],
  exclude: ["**/node_modules/**", "**/dist/**", "**/.berth/**"],
  hookTimeout: 180_000,
}

export default defineConfig({
  root: join(import.meta.dirname, "../../../.."),
  test: {
    projects: [
      {
        extends: true,
        test: {
          ...tier,
          name: "k8s",
          include: ["packages/operator/test/**/*.k8s.test.ts"],
          testTimeout: 180_000,
          maxWorkers: Math.max(2, availableParallelism()),
        },
      },
      {
        extends: true,
        test: {
          ...tier,
          name: "node",
          include: ["packages/operator/test/**/*.node.test.ts"],
          testTimeout: 300_000,
          // They share one node, and some of them kill its parts.
          fileParallelism: false,
          maxWorkers: 1,
        },
      },
    ],
  },
})
