import { expect, test } from 'vitest'
import { logTo } from '../../../test/support/log.ts'
import { createMetrics } from '../../platform/metrics/index.ts'
import { NotAsked } from './breaker.ts'
import type { Weather } from './weather.ts'
import { WeatherCache } from './weather-cache.ts'
import { weatherExample } from './weather-schema.ts'
import { createWeatherSource } from './weather-source.ts'

const HOUR = 3_600_000

/** Creates a source with a scripted provider and clock. */
function lab() {
  const asked: string[] = []
  const logged: Record<string, unknown>[] = []
  const metrics = createMetrics()
  const state = {
    now: Date.UTC(2025, 11, 15),
    answer: async (_city: string): Promise<Weather | undefined> => weatherExample,
  }
  const now = () => state.now
  const source = createWeatherSource({
    provider: {
      name: 'test',
      observe: (city) => {
        asked.push(city)
        return state.answer(city)
      },
    },
    cache: new WeatherCache({ redis: undefined, prefix: '', now }),
    log: logTo(logged),
    metrics,
    now,
  })
  const counted = async () => {
    const families = await metrics.collect()
    return Object.fromEntries(
      families.flatMap(({ samples }) =>
        samples
          .filter(({ value }) => value > 0)
          .map(({ labels, value }) => [labels.outcome ?? labels.result, value]),
      ),
    )
  }
  const warnings = () => logged.filter(({ level }) => level === 40).map(({ msg }) => msg)
  return { source, state, asked, logged, counted, warnings }
}

test('however many ask for a city at once, and in whatever spelling, it is asked for once', async () => {
  const { source, asked, state, counted } = lab()
  const { promise, resolve } = Promise.withResolvers<Weather>()
  state.answer = () => promise
  const waiting = ['Moscow', ' MOSCOW', 'moscow '].flatMap((city) =>
    Array.from({ length: 50 }, () => source.of(city)),
  )
  resolve(weatherExample)
  expect(await Promise.all(waiting)).toEqual(Array(150).fill(weatherExample))
  expect(asked).toEqual(['moscow'])
  expect(await counted()).toEqual({ found: 1, miss: 1 })
})

test('for an hour it is known, and then asked for again', async () => {
  const { source, asked, state, counted } = lab()
  await source.of('Moscow')
  state.now += HOUR - 1
  expect(await source.of('moscow')).toEqual(weatherExample)
  expect(asked).toHaveLength(1)
  state.now += 1
  await source.of('Moscow')
  expect(asked).toHaveLength(2)
  expect(await counted()).toEqual({ found: 2, miss: 2, hit: 1 })
})

test('so is that nobody knows a city', async () => {
  const { source, asked, state, counted } = lab()
  state.answer = async () => undefined
  expect([await source.of('Atlantis'), await source.of('atlantis')]).toEqual([null, null])
  expect(asked).toHaveLength(1)
  expect(await counted()).toEqual({ unknown: 1, miss: 1, hit: 1 })
})

test('what can be the name of no city is not asked for', async () => {
  const { source, asked } = lab()
  // U+FDFA is one character, and eighteen of NFKC.
  for (const city of ['\u3000', '\ufdfa'.repeat(100)]) expect(await source.of(city)).toBeNull()
  expect(asked).toEqual([])
})

test('a failure is not kept; everybody who waited for it gets it', async () => {
  const { source, asked, state, counted } = lab()
  state.answer = () => Promise.reject(new Error('garbage'))
  const both = await Promise.allSettled([source.of('Omsk'), source.of('Omsk')])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  state.answer = async () => weatherExample
  expect(await source.of('Omsk')).toEqual(weatherExample)
  expect(asked).toHaveLength(2)
  expect(await counted()).toEqual({ failed: 1, found: 1, miss: 2 })
})

test('after five failures in a row requests pause, then one at a time is tried until one succeeds', async () => {
  const { source, asked, state, warnings, logged } = lab()
  state.answer = () => Promise.reject(new Error('status 500'))
  for (let i = 0; i < 5; i++) await expect(source.of(`city ${i}`)).rejects.toThrow('status 500')
  expect(warnings()).toEqual(['test is unavailable: status 500'])
  await expect(source.of('another')).rejects.toThrow(NotAsked)
  expect(asked).toHaveLength(5)

  state.now += 30_000
  const trial = Promise.withResolvers<Weather>()
  state.answer = () => trial.promise
  const first = source.of('first')
  await expect(source.of('second')).rejects.toThrow(NotAsked)
  trial.reject(new Error('still'))
  await expect(first).rejects.toThrow('still')
  await expect(source.of('third')).rejects.toThrow(NotAsked)
  expect(asked).toHaveLength(6)

  state.now += 30_000
  state.answer = async () => weatherExample
  expect(await source.of('first')).toEqual(weatherExample)
  expect(await source.of('second')).toEqual(weatherExample)
  expect(warnings()).toHaveLength(1)
  expect(logged.at(-1)).toMatchObject({ msg: 'test is available again' })
})

test('successes in between keep it from that, and a budget that is used up is no failure', async () => {
  const { source, state, warnings, counted } = lab()
  for (let i = 0; i < 20; i++) {
    state.answer = i % 5 === 4 ? async () => weatherExample : () => Promise.reject(new Error('now and then'))
    await source.of(`city ${i}`).catch(() => {})
  }
  state.answer = () => Promise.reject(new NotAsked('over the budget'))
  for (let i = 0; i < 20; i++) await expect(source.of(`more ${i}`)).rejects.toThrow('over the budget')
  expect(warnings()).toEqual([])
  expect(await counted()).toMatchObject({ failed: 16, over_budget: 20 })
})

test('many cities at a time are refused', async () => {
  const { source, state, asked } = lab()
  const { promise, resolve } = Promise.withResolvers<Weather>()
  state.answer = () => promise
  const waiting = Array.from({ length: 60 }, (_, i) => source.of(`city ${i}`))
  resolve(weatherExample)
  const results = await Promise.allSettled(waiting)
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(10)
  expect(asked).toHaveLength(50)
})
