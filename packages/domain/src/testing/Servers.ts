/** What the global setup hands to tests; read it by `inject("redisUrl")`, or better by freshRedis and freshDatabase. */
export interface TestServers {
  /** The owner's connection to the run's Postgres. */
  readonly postgresUrl: string
  /** The run's Redis, database 0. */
  readonly redisUrl: string
}

/** How many the run's Redis has; each test file takes one. */
export const databases = 1024

declare module "vitest" {
  interface ProvidedContext extends TestServers {}
}
