/** Words typed before the chat was loaded, handed over once. Also remembers that this browser has a conversation. */
let words: string | undefined

export const leaveWords = (text: string): void => {
  words = text
}

export const takeWords = (): string | undefined => {
  const taken = words
  words = undefined
  return taken
}

const key = "berth.chat"

/** Only a hint that saves a returning customer a tap: the session itself is a cookie that scripts cannot read. */
export const hasChatted = (): boolean => {
  try {
    return localStorage.getItem(key) !== null
  } catch {
    return false
  }
}

export const rememberChat = (): void => {
  try {
    localStorage.setItem(key, "1")
  } catch {
    // Storage may be forbidden. The landing page then greets a returning customer like a new one.
  }
}
