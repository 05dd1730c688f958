import { assert, describe, it } from "@effect/vitest"
import { CustomerId } from "@berth/domain/Ids"
import { exportJob } from "../../src/desired/ExportJob.ts"
import { pauseAfter, progressOf } from "../../src/export/Progress.ts"
import type { Stored } from "../../src/Manifest.ts"

const begun = Date.parse("2026-11-30T00:00:00Z")
const ended = "2026-11-30T01:00:00.000Z"
const written = { size: 4_711, sha256: "ab".repeat(32) }

const job = (attempt: number, condition?: object): Stored => {
  const made = exportJob({ customerId: CustomerId.make("ada"), generation: 7, attempt, image: "i", recipient: "r" })
  return {
    ...made,
    metadata: {
      ...made.metadata,
      uid: `job-${attempt}`,
      resourceVersion: "1",
      creationTimestamp: new Date(begun).toISOString(),
    },
    ...(condition === undefined ? {} : { status: { conditions: [condition] } }),
  }
}
const complete = { type: "Complete", status: "True", lastTransitionTime: ended }
const failed = (reason = "BackoffLimitExceeded") => ({
  type: "Failed",
  status: "True",
  reason,
  lastTransitionTime: ended,
})

const pod = (attempt: number, phase: string, terminated?: object): Stored => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: `export-${attempt}`,
    namespace: "customer-ada",
    uid: `pod-${attempt}`,
    resourceVersion: "1",
    creationTimestamp: ended,
    ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: "export", uid: `job-${attempt}` }],
  },
  status: { phase, containerStatuses: terminated === undefined ? [] : [{ state: { terminated } }] },
})
const said = (outcome: object, exitCode = 0) => ({ exitCode, reason: "Completed", message: JSON.stringify(outcome) })

describe("how an export stands", () => {
  it("has not begun without a Job, and goes on while its Job has not ended", () => {
    assert.deepStrictEqual(progressOf([], [pod(1, "Running")], begun), { _tag: "NotBegun" })
    assert.deepStrictEqual(progressOf([job(1)], [pod(1, "Running")], begun + 3_600_000), {
      _tag: "Running",
      attempt: 1,
      late: false,
    })
  })

  it("is late when nothing of it runs after ten minutes", () => {
    for (const pods of [[], [pod(1, "Pending")]]) {
      assert.deepInclude(progressOf([job(1)], pods, begun + 600_000), { late: false })
      assert.deepInclude(progressOf([job(1)], pods, begun + 600_001), { late: true })
    }
  })

  it("is written only if the Job is complete and its own pod says what it wrote", () => {
    const good = pod(1, "Succeeded", said({ _tag: "Written", ...written }))
    assert.deepStrictEqual(progressOf([job(1, complete)], [good], begun), {
      _tag: "Written",
      attempt: 1,
      at: Date.parse(ended),
      written,
    })
    assert.strictEqual(progressOf([job(1)], [good], begun)._tag, "Running", "its Job has not ended")
    const others = pod(2, "Succeeded", said({ _tag: "Written", ...written }))
    for (const pods of [[], [others], [pod(1, "Succeeded", { exitCode: 0, reason: "Completed" })]])
      assert.deepStrictEqual(progressOf([job(1, complete)], pods, begun), {
        _tag: "Failed",
        attempt: 1,
        at: Date.parse(ended),
        why: "it ended and left no word of what it wrote",
      })
  })

  it("is not believed where it says something else than size and digest", () => {
    for (const outcome of [{ ...written }, { _tag: "Written", size: -1, sha256: "x" }, "Written"])
      assert.strictEqual(
        progressOf([job(1, complete)], [pod(1, "Succeeded", said(outcome as object))], begun)._tag,
        "Failed",
      )
  })

  it("has failed for what its pod says, else for what ended it, else for what the Job says", () => {
    const cases: ReadonlyArray<readonly [ReadonlyArray<Stored>, Stored, string]> = [
      [
        [pod(1, "Failed", said({ _tag: "Failed", message: "the store answers 503" }, 1))],
        job(1, failed()),
        "the store answers 503",
      ],
      [[pod(1, "Failed", { exitCode: 137, reason: "OOMKilled" })], job(1, failed()), "OOMKilled"],
      [[], job(1, failed("DeadlineExceeded")), "DeadlineExceeded"],
    ]
    for (const [pods, of, why] of cases)
      assert.deepInclude(progressOf([of], pods, begun), { _tag: "Failed", attempt: 1, why })
  })

  it("is told by the newest try, by number and not by name", () => {
    const jobs = [job(10, complete), job(9, failed())]
    assert.deepInclude(progressOf(jobs, [pod(10, "Succeeded", said({ _tag: "Written", ...written }))], begun), {
      _tag: "Written",
      attempt: 10,
    })
  })

  it("is tried again after a minute, then ever later, at most an hour", () => {
    assert.deepStrictEqual([1, 2, 3, 7, 50].map(pauseAfter), [60_000, 120_000, 240_000, 3_600_000, 3_600_000])
  })
})
