import { assert, describe, it } from "@effect/vitest"
import { make, patienceMillis } from "../src/Starts.ts"

describe("starts", () => {
  it("are so many at once and no more, each in its turn", () => {
    const starts = make(2)
    assert.deepStrictEqual(
      ["a", "b", "c", "d"].map((one) => starts.ask(one, "provision", 0)),
      [true, true, false, false],
    )
    assert.deepStrictEqual(starts.count(), { running: 2, waiting: 2 })
    starts.done("b")
    assert.isFalse(starts.ask("d", "provision", 0), "whoever came first is next")
    assert.deepStrictEqual(starts.called(0), ["c"])
    assert.isTrue(starts.ask("c", "provision", 0))
    assert.isFalse(starts.ask("d", "provision", 0))
  })

  it("call a new agent before one that only changes", () => {
    const starts = make(1)
    starts.ask("a", "change", 0)
    starts.ask("b", "change", 0)
    starts.ask("c", "provision", 0)
    starts.done("a")
    assert.deepStrictEqual(starts.called(0), ["c"])
  })

  it("give the place of one that never ends to the next, and no sooner", () => {
    const starts = make(1)
    starts.ask("hangs", "provision", 0)
    starts.ask("b", "provision", 1)
    assert.deepStrictEqual(starts.called(patienceMillis - 1), [])
    assert.deepStrictEqual(starts.called(patienceMillis), ["b"])
  })

  it("forget one that is not to run any more, whether it starts or waits", () => {
    const starts = make(1)
    starts.ask("a", "provision", 0)
    starts.ask("b", "provision", 0)
    starts.done("b")
    starts.done("a")
    assert.deepStrictEqual([starts.called(0), starts.count()], [[], { running: 0, waiting: 0 }])
  })

  it("that are under way when an operator takes over count, beyond the limit too", () => {
    const starts = make(1)
    for (const one of ["a", "b"]) starts.claim(one, 0)
    assert.isFalse(starts.ask("c", "provision", 0))
    assert.isTrue(starts.ask("a", "provision", 0))
    starts.done("a")
    assert.deepStrictEqual(starts.called(0), [])
    starts.done("b")
    assert.deepStrictEqual(starts.called(0), ["c"])
  })
})
