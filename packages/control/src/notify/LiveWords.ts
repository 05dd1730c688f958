/** The sentence that every channel says when an agent is up: page, mail and Telegram alike. */
export const liveWords = (botUsername: string): string => `Your agent is live! Message @${botUsername}`
