/** An amount of tokens as customers read it: 1234567 → "1,234,567". */
export const grouped = (tokens: number): string => tokens.toLocaleString("en-US")
