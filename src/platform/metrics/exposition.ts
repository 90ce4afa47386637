import type { Family, Labels, Sample } from './metrics.ts'

/** https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format */
export const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8'

/** Returns families in the text format of Prometheus. */
export function exposition(families: readonly Family[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, type, samples }) => {
      const head = `# HELP ${name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n# TYPE ${name} ${type}\n`
      return head + samples.map((sample) => line(name, sample)).join('')
    })
    .join('')
}

/** Merges the families of several processes: each family appears once, with all samples. */
export function mergeFamilies(processes: readonly (readonly Family[])[]): Family[] {
  const merged = new Map<string, Family>()
  for (const family of processes.flat()) {
    const known = merged.get(family.name)
    if (known) known.samples.push(...family.samples)
    else merged.set(family.name, { ...family, samples: [...family.samples] })
  }
  return [...merged.values()]
}

/** Adds these labels to every sample. */
export function labelled(families: readonly Family[], labels: Labels): Family[] {
  return families.map((family) => ({
    ...family,
    samples: family.samples.map((sample) => ({ ...sample, labels: { ...labels, ...sample.labels } })),
  }))
}

function line(name: string, { suffix, labels, value }: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`)
  return `${name}${suffix}${pairs.length > 0 ? `{${pairs.join()}}` : ''} ${number(value)}\n`
}

function escaped(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')
}

function number(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}
