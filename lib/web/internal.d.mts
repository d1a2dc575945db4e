export const internal: string[]
