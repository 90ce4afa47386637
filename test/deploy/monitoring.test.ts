import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { hasNats, startNats, type TestNats } from '../support/nats.ts'
import { readQuery } from '../support/promql.ts'
import { openTestRabbit, rabbitUrl, type TestRabbit } from '../support/rabbitmq.ts'
import { startUpstream } from '../support/upstream.ts'
import { startWeatherUpstream } from '../support/weather.ts'

const folder = fileURLToPath(new URL('../../deploy/monitoring/', import.meta.url))
const read = (name: string) => readFileSync(folder + name, 'utf8')

interface Rule {
  alert: string
  expr: string
  annotations: Record<string, string>
}
const rules = (parse(read('alerts.yml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
)
const dashboard = JSON.parse(read('grafana/taskwire.json')) as {
  panels: { id: number; title: string; gridPos: object; targets: { expr: string; legendFormat: string }[] }[]
}

/** Every query there is: its text, and what is written with the labels of its result. */
const queries = [
  ...rules.map(({ alert, expr, annotations }) => ({
    name: alert,
    query: expr,
    text: Object.values(annotations).join(),
  })),
  ...dashboard.panels.flatMap(({ title, targets }) =>
    targets.map(({ expr, legendFormat }) => ({
      name: title,
      query: expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'),
      text: legendFormat.replaceAll('{{', '{{ $labels.'),
    })),
  ),
]

/** What Prometheus adds to each sample, and what it says itself of a target. */
const TARGET_LABELS = ['instance', 'job']
const OF_PROMETHEUS = 'up'

let app: TestApp
let nats: TestNats | undefined
let rabbit: TestRabbit | undefined
/** Samples by the name of their metric. */
let metrics: Map<string, Sample[]>
let exposition: string

beforeAll(async () => {
  nats = hasNats ? await startNats() : undefined
  rabbit = rabbitUrl ? await openTestRabbit() : undefined
  await using upstream = await startUpstream()
  await using weather = await startWeatherUpstream()
  const services = { ...(nats && { NATS_URL: nats.url }), ...rabbit?.settings }
  const settings = { TODO_SOURCE_URL: upstream.url, ...weather.openMeteo, ...services }
  app = await startTestApp(settings)
  // Something of everything has happened.
  expect((await app.send('POST', '/task-generator/run')).status).toBe(200)
  expect((await app.fetch('/nothing/here')).status).toBe(404)
  await eventually(async () => {
    exposition = (await app.fetch('/metrics')).body
    return exposition.includes('status="404"')
  }, 'it is counted')
  metrics = Map.groupBy(samplesOf(exposition), ({ name }) => name)
})
afterAll(async () => {
  await app[Symbol.asyncDispose]()
  await nats?.[Symbol.asyncDispose]()
  await rabbit?.[Symbol.asyncDispose]()
})

interface Sample {
  name: string
  labels: Record<string, string>
}

function samplesOf(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name, labels] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line)!
      const pairs = [...(labels ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
      return { name: name!, labels: Object.fromEntries(pairs.map(([, label, value]) => [label, value])) }
    })
}

/** What a server without NATS or RabbitMQ does not have. */
function isCovered(metric: string): boolean {
  return (
    (hasNats || !metric.startsWith('taskwire_nats_')) &&
    (rabbitUrl || !metric.startsWith('taskwire_rabbitmq_')) !== false
  )
}

test.for(queries)(
  '$name: each metric, label and value of its query is one that a server has',
  ({ query, text }) => {
    const { selectors, groupedBy } = readQuery(query)
    expect(selectors).not.toEqual([])
    const shown = [...text.matchAll(/\{\{ \$labels\.(\w+)/g)].map(([, label]) => label!)
    for (const { metric, matchers } of selectors) {
      if (!isCovered(metric)) continue
      const samples = metric === OF_PROMETHEUS ? [{ name: metric, labels: {} }] : (metrics.get(metric) ?? [])
      expect(samples.length, metric).toBeGreaterThan(0)
      const labels = [...TARGET_LABELS, ...Object.keys(samples[0]!.labels)]
      for (const { label, operator, value } of matchers) {
        expect(labels, `${metric}{${label}}`).toContain(label)
        if (operator === '=' && !TARGET_LABELS.includes(label))
          expect(samples.map((sample) => sample.labels[label])).toContain(value)
        if (operator.endsWith('~')) expect(() => new RegExp(value)).not.toThrow()
      }
      for (const label of groupedBy) expect(labels, `${metric} by ${label}`).toContain(label)
      for (const label of shown)
        expect(groupedBy.length > 0 ? groupedBy : labels, `${label} in ${text}`).toContain(label)
    }
  },
)

test('whatever a server says of itself is on the dashboard or in the alerts, and in the documentation', () => {
  const asked = new Set(
    queries.flatMap(({ query }) =>
      readQuery(query).selectors.map(({ metric }) => metric.replace(/_(bucket|sum|count)$/, '')),
    ),
  )
  const families = [...exposition.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name!)
  expect(
    families.filter((name) => name.startsWith('taskwire_') && !asked.has(name) && name !== 'taskwire_info'),
  ).toEqual([])
  for (const language of ['', '.ru']) {
    const docs = readFileSync(
      fileURLToPath(new URL(`../../docs/operations${language}.md`, import.meta.url)),
      'utf8',
    )
    for (const name of families.filter((family) => family.startsWith('taskwire_')))
      expect(docs).toContain(`\`${name}\``)
  }
})

test('the number of samples is bounded: whatever paths are asked for, they are one', async () => {
  const count = async () => samplesOf((await app.fetch('/metrics')).body).length
  await app.fetch('/tasks/1')
  await app.fetch('/nothing/0')
  const before = await count()
  for (let i = 0; i < 50; i++) await app.fetch(`/nothing/${i}`)
  for (let i = 1; i < 20; i++) await app.fetch(`/tasks/${i}?q=${i}`)
  expect(await count()).toBe(before)
})

test('alerts and panels are told apart', () => {
  const names = [
    rules.map(({ alert }) => alert),
    dashboard.panels.map(({ title }) => title),
    dashboard.panels.map(({ id }) => String(id)),
    dashboard.panels.map(({ gridPos }) => JSON.stringify(gridPos)),
  ]
  for (const list of names) expect(new Set(list).size).toBe(list.length)
})

test('the reader of queries knows what it reads', () => {
  expect(readQuery('sum by (a, b) (rate(m_total{x="1",y=~"2|\\"3"}[5m])) / on (c) n > 1.5e3')).toEqual({
    selectors: [
      {
        metric: 'm_total',
        matchers: [
          { label: 'x', operator: '=', value: '1' },
          { label: 'y', operator: '=~', value: '2|"3' },
        ],
      },
      { metric: 'n', matchers: [] },
    ],
    groupedBy: ['a', 'b', 'c'],
  })
  expect(() => readQuery('rate(m[5m]) § 2')).toThrow('no PromQL at "§ 2"')
})

test('Prometheus itself has nothing to say against the rules, the configuration and the metrics', ({
  skip,
}) => {
  const promtool = (args: string[], input = '') =>
    spawnSync('promtool', args, { cwd: folder, encoding: 'utf8', input })
  if (promtool(['--version']).error) {
    const reason = 'NOT COVERED: what Prometheus says of its files (no promtool; Debian: prometheus)'
    if (process.env.REQUIRE_SERVICES === '1') throw new Error(reason)
    return skip(reason)
  }
  expect(promtool(['check', 'rules', 'alerts.yml'])).toMatchObject({ status: 0 })
  expect(promtool(['check', 'config', '--syntax-only', 'prometheus.yml'])).toMatchObject({ status: 0 })
  expect(promtool(['check', 'metrics'], exposition)).toMatchObject({ status: 0, stdout: '', stderr: '' })
})
