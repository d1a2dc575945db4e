const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const second = 1000
const minute = 60 * second
const hour = 60 * minute

/** A count, such as 3,402,118. */
export function count(n: number): string {
  return whole.format(n)
}

/** A count with its noun, such as "1 row" or "200 rows". */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`
}

/** A rate to two digits, such as "2.1 M rows/s": more digits would only flicker. */
export function rate(perSecond: number): string {
  if (perSecond >= 999_500) return `${Number((perSecond / 1e6).toPrecision(2))} M rows/s`
  return `${count(perSecond < 10 ? Math.ceil(perSecond) : Number(perSecond.toPrecision(2)))} rows/s`
}

/** The time that is left, in steps that grow with it, so that it falls calmly. */
export function timeLeft(ms: number): string {
  if (ms < 10 * second) return `${Math.max(1, Math.ceil(ms / second))} s left`
  if (ms < minute) return `${Math.ceil(ms / (5 * second)) * 5} s left`
  if (ms < hour) return `${Math.ceil(ms / minute)} min left`
  return `${Number((ms / hour).toFixed(1))} h left`
}

/** How long something took, such as "0.5 s", "42 s", "3 min 20 s". */
export function duration(ms: number): string {
  if (ms < 10 * second) return `${(Math.max(ms, 50) / second).toFixed(1)} s`
  const seconds = Math.round(ms / second)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return seconds % 60 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`
}

/** A size in bytes, such as "84 KB" or "1.2 GB". */
export function size(bytes: number): string {
  if (bytes < 1000) return counted(bytes, 'byte')
  const [unit, divisor] = bytes < 999_500 ? ['KB', 1e3] as const : bytes < 999.5e6 ? ['MB', 1e6] as const : ['GB', 1e9] as const
  const value = bytes / divisor
  return `${value < 9.95 ? Number(value.toFixed(1)) : Math.round(value)} ${unit}`
}

/** A share from 0 to 1 as whole percents. It says 100 only at the end. */
export function percent(share: number): number {
  return share >= 1 ? 100 : Math.min(99, Math.max(0, Math.floor(share * 100 + 1e-6)))
}

/** The time of day. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
}

/** When a step began: the time of day to the second, or as {@link whenWas} if that is another day. */
export function whenBegan(at: number, now: number): string {
  const date = new Date(at)
  if (date.toDateString() !== new Date(now).toDateString()) return whenWas(at, now)
  return date.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
}

/** When something was: the time of day, with the weekday if that is another one, or the date if it is longer ago. */
export function whenWas(at: number, now: number): string {
  const date = new Date(at)
  if (date.toDateString() === new Date(now).toDateString()) return clock(at)
  if (now - at < 6 * 24 * hour) return `${date.toLocaleDateString('en', { weekday: 'short' })} ${clock(at)}`
  return date.toLocaleDateString('en', { day: 'numeric', month: 'short' })
}
