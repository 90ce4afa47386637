import fc from 'fast-check'
import { expect, test } from 'vitest'
import { exposition, labelled, mergeFamilies } from './exposition.ts'
import { createMetrics } from './metrics.ts'

/** The lines of the text format, as its specification has them; what a label says is read back. */
function parse(text: string) {
  const samples: { name: string; labels: Record<string, string>; value: number }[] = []
  const types: string[] = []
  for (const line of text.split('\n').slice(0, -1)) {
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line)
    if (type) types.push(type[1]!)
    if (line.startsWith('#')) continue
    const [, name, labels, value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line)!
    const pairs = [...(labels ?? '').matchAll(/([a-z_]+)="((?:[^"\\]|\\[\\"n])*)"(?:,|$)/g)]
    expect(pairs.map(([pair]) => pair).join('')).toBe(labels ?? '')
    const read = (escaped: string) => escaped.replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c))
    samples.push({
      name: name!,
      labels: Object.fromEntries(pairs.map(([, label, escaped]) => [label, read(escaped!)])),
      value: Number(value!.replace('Inf', 'Infinity')),
    })
  }
  return { samples, types }
}

test('any label is read back as it was', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), fc.double({ noNaN: true }), async (text, value) => {
      fc.pre(!text.includes('\r')) // A line of its own to some readers, and no label of ours has one.
      const metrics = createMetrics()
      metrics.reading('a_thing', 'What it is,\nin \\ two lines.', () => [{ labels: { of: text }, value }])
      const { samples } = parse(exposition(await metrics.collect()))
      // Minus nothing is written as nothing.
      expect(samples).toEqual([{ name: 'a_thing', labels: { of: text }, value: value + 0 }])
    }),
  )
})

test('buckets are cumulative, and the last has all', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: -5, max: 50 })), async (values) => {
      const metrics = createMetrics()
      const histogram = metrics.histogram('a_size', 'Sizes.', [1, 10, 25])
      for (const value of values) histogram.observe(value)
      const { samples } = parse(exposition(await metrics.collect()))
      const atMost = (bound: number) => values.filter((value) => value <= bound).length
      expect(samples).toEqual([
        { name: 'a_size_bucket', labels: { le: '1' }, value: atMost(1) },
        { name: 'a_size_bucket', labels: { le: '10' }, value: atMost(10) },
        { name: 'a_size_bucket', labels: { le: '25' }, value: atMost(25) },
        { name: 'a_size_bucket', labels: { le: '+Inf' }, value: values.length },
        { name: 'a_size_sum', labels: {}, value: values.reduce((sum, value) => sum + value, 0) },
        { name: 'a_size_count', labels: {}, value: values.length },
      ])
    }),
  )
})

test('one name is one family, whatever its labels and processes; what fails is left out', async () => {
  const one = createMetrics()
  one.counter('done_total', 'Done.', { kind: 'a' }).add()
  one.counter('done_total', 'Done.', { kind: 'b' }).add(2)
  one.reading('broken', 'Broken.', () => Promise.reject(new Error('away')))
  const other = createMetrics()
  other.counter('done_total', 'Done.', { kind: 'a' }).add(3)
  const both = mergeFamilies([
    labelled(await one.collect(), { worker: '1' }),
    labelled(await other.collect(), { worker: '2' }),
  ])
  const text = exposition(both)
  expect(parse(text)).toEqual({
    types: ['done_total'],
    samples: [
      { name: 'done_total', labels: { worker: '1', kind: 'a' }, value: 1 },
      { name: 'done_total', labels: { worker: '1', kind: 'b' }, value: 2 },
      { name: 'done_total', labels: { worker: '2', kind: 'a' }, value: 3 },
    ],
  })
})

test('one that does not answer is left out, and holds up the others for two seconds only', async () => {
  const metrics = createMetrics()
  metrics.reading('a_thing', 'It is there.', () => 1)
  metrics.reading('silent', 'It says nothing.', () => new Promise(() => {}))
  const started = performance.now()
  const { samples } = parse(exposition(await metrics.collect()))
  expect(performance.now() - started).toBeLessThan(4_000)
  expect(samples).toEqual([{ name: 'a_thing', labels: {}, value: 1 }])
})
