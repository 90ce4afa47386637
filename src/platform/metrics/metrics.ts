/** One metric with all its values, as plain data. */
export interface Family {
  name: string
  help: string
  type: 'counter' | 'gauge' | 'histogram'
  samples: Sample[]
}

export interface Sample {
  /** Suffix of the family's name, such as `_bucket`. */
  suffix: string
  labels: Record<string, string>
  value: number
}

export type Labels = Record<string, string>

/** A value that is read on each scrape. Several values differ in their labels. */
export type Reading = number | { labels: Labels; value: number }[]

/** A counter or histogram with fixed labels. It is cheap enough for every request. */
export interface CounterMetric {
  add(by?: number): void
}

export interface HistogramMetric {
  observe(value: number): void
}

const READING_MS = 2_000

/** The metrics of this process. */
export interface Metrics {
  /** Creates a counter. Its name ends in `_total`; the same name with other labels is the same metric. */
  counter(name: string, help: string, labels?: Labels): CounterMetric
  /** Creates a histogram. `bounds` ascend, without infinity. Values and bounds have the unit in the name. */
  histogram(name: string, help: string, bounds: readonly number[], labels?: Labels): HistogramMetric
  /** Adds a metric that is read on each scrape; a counter's name ends in `_total`. One that fails or takes 2 s is left out. */
  reading(name: string, help: string, read: () => Reading | Promise<Reading>): void
  collect(): Promise<Family[]>
}

/**
 * Creates the metrics of a process. prom-client would take 18 MB of the idle server's 150 MB, and 0.6 µs per
 * observation for labels: docs/adr/0011-metrics.md.
 */
export function createMetrics(): Metrics {
  const families = new Map<
    string,
    { family: Omit<Family, 'samples'>; parts: (() => Sample[] | Promise<Sample[]>)[] }
  >()

  function register(family: Omit<Family, 'samples'>, part: () => Sample[] | Promise<Sample[]>): void {
    const known = families.get(family.name)
    if (known) known.parts.push(part)
    else families.set(family.name, { family, parts: [part] })
  }

  return {
    counter(name, help, labels = {}) {
      let value = 0
      register({ name, help, type: 'counter' }, () => [{ suffix: '', labels, value }])
      return {
        add(by = 1) {
          value += by
        },
      }
    },
    histogram(name, help, bounds, labels = {}) {
      const counts = new Array<number>(bounds.length + 1).fill(0)
      let sum = 0
      register({ name, help, type: 'histogram' }, () => histogramSamples(bounds, counts, sum, labels))
      return {
        observe(value) {
          let bucket = 0
          while (bucket < bounds.length && value > bounds[bucket]!) bucket++
          counts[bucket]!++
          sum += value
        },
      }
    },
    reading(name, help, read) {
      register({ name, help, type: name.endsWith('_total') ? 'counter' : 'gauge' }, async () => {
        const found = await inTime(read)
        const values = typeof found === 'number' ? [{ labels: {}, value: found }] : found
        return values.map(({ labels, value }) => ({ suffix: '', labels, value }))
      })
    },
    collect: () =>
      Promise.all(
        Array.from(families.values(), async ({ family, parts }) => {
          const samples = await Promise.allSettled(parts.map(async (part) => part()))
          return {
            ...family,
            samples: samples.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])),
          }
        }),
      ),
  }
}

/** Timeout of reading a metric. The database may be unavailable, and the other metrics must report that. */
async function inTime(read: () => Reading | Promise<Reading>): Promise<Reading> {
  const found = read()
  if (!(found instanceof Promise)) return found
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('no answer in time')), READING_MS)
  return await Promise.race([found, late]).finally(() => clearTimeout(timer))
}

/** Returns cumulative buckets: each counts the values up to its bound. */
function histogramSamples(
  bounds: readonly number[],
  counts: readonly number[],
  sum: number,
  labels: Labels,
): Sample[] {
  let total = 0
  const buckets = counts.map((count, index) => {
    total += count
    return { suffix: '_bucket', labels: { ...labels, le: String(bounds[index] ?? '+Inf') }, value: total }
  })
  return [...buckets, { suffix: '_sum', labels, value: sum }, { suffix: '_count', labels, value: total }]
}
