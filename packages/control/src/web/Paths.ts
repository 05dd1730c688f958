/** Where the pages are. Shared by the router in the browser and by the server, which answers only these with the pages. */
export const paths = {
  landing: "/",
  chat: "/chat",
  usage: "/usage",
  success: "/checkout/success",
  canceled: "/checkout/canceled",
} as const

export const pagePaths: ReadonlyArray<`/${string}`> = Object.values(paths)
