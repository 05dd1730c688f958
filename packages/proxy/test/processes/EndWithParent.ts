/** Preloaded into every process that a test starts: it ends when the test run does, even if that was killed with -9. */
const parent = process.ppid
setInterval(() => {
  if (process.ppid !== parent) process.exit(1)
}, 500).unref()
