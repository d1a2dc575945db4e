/** One measured value at a time. */
export interface Sample {
  at: number
  value: number
}

/** How many samples are held of a job. When there are more, neighbours are joined, so that the whole run stays visible. */
const most = 120

/** Adds a sample, in place. */
export function addSample(samples: Sample[], sample: Sample): void {
  const last = samples.at(-1)
  if (last && sample.at <= last.at) return
  samples.push(sample)
  if (samples.length <= most) return
  const joined: Sample[] = []
  for (let i = 0; i + 1 < samples.length; i += 2) {
    joined.push({ at: samples[i + 1]!.at, value: (samples[i]!.value + samples[i + 1]!.value) / 2 })
  }
  samples.splice(0, joined.length * 2, ...joined)
}

/** The line through the samples, in a box of this size, as an SVG path. Zero is at the bottom. */
export function linePath(samples: readonly Sample[], width: number, height: number): string {
  const first = samples[0]!.at
  const span = samples.at(-1)!.at - first || 1
  const highest = Math.max(...samples.map(({ value }) => value)) || 1
  const point = ({ at, value }: Sample) =>
    `${round((at - first) / span * width)},${round(height - value / highest * height)}`
  return `M${samples.map(point).join(' ')}`
}

function round(n: number): number {
  return Math.round(n * 10) / 10
}
