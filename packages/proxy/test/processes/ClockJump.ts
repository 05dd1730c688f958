/**
 * Preloaded into a process whose wall clock a test sets: at each SIGUSR2 it jumps by the next of `CLOCK_JUMPS` (ms, by
 * commas). As when a machine's clock is set, timers and the monotonic clock know nothing of it.
 */
const RealDate = Date
const jumps = (process.env.CLOCK_JUMPS ?? "").split(",").map(Number)
let shift = 0

const now = () => RealDate.now() + shift

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: Array<unknown>) => Reflect.construct(target, args.length === 0 ? [now()] : args) as object,
  get: (target, key) => (key === "now" ? now : (Reflect.get(target, key) as unknown)),
})

process.on("SIGUSR2", () => {
  shift += jumps.shift() ?? 0
})
