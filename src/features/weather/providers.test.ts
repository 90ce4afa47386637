import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openMeteo } from './open-meteo.ts'
import { openWeather } from './open-weather.ts'
import { conditions, type Weather } from './weather.ts'

/** The example response in the documentation of OpenWeather. */
const openWeatherAnswer = {
  coord: { lon: 37.6156, lat: 55.7522 },
  weather: [{ id: 803, main: 'Clouds', description: 'broken clouds', icon: '04d' }],
  main: { temp: 15.5, feels_like: 14.9, pressure: 1021, humidity: 71 },
  wind: { speed: 3.6, deg: 349 },
  dt: 1765799100,
  name: 'Moscow',
  cod: 200,
}
const placeAnswer = {
  results: [{ id: 524901, name: 'Moscow', latitude: 55.75222, longitude: 37.61556 }],
  generationtime_ms: 0.6,
}
const forecastAnswer = {
  latitude: 55.75,
  longitude: 37.625,
  utc_offset_seconds: 0,
  current: {
    time: 1765799100,
    interval: 900,
    temperature_2m: 15.5,
    relative_humidity_2m: 71,
    weather_code: 3,
    wind_speed_10m: 3.6,
  },
}
const found: Omit<Weather, 'provider'> = {
  temperature: 15.5,
  condition: 'Cloudy',
  humidity: 71,
  wind_speed: 3.6,
  observed_at: '2025-12-15T11:45:00.000000Z',
}

function fromOpenWeather(answer: unknown, asked: URL[] = []) {
  const get = async (url: URL) => {
    asked.push(url)
    return answer
  }
  return openWeather({ url: 'https://weather.test/data?lang=ru', key: 'a key', get })
}

function fromOpenMeteo(place: unknown, forecast: unknown, asked: URL[] = []) {
  const get = async (url: URL) => {
    asked.push(url)
    return url.pathname === '/search' ? place : forecast
  }
  return openMeteo({
    url: 'https://meteo.test/forecast?apikey=k',
    geocodingUrl: 'https://meteo.test/search',
    get,
  })
}

test('OpenWeather is asked for the city, whatever is in its name', async () => {
  const asked: URL[] = []
  const provider = fromOpenWeather(openWeatherAnswer, asked)
  expect(await provider.observe('a&appid=b#/../ё')).toEqual({ ...found, provider: 'openweather' })
  expect(asked.map(({ origin, pathname }) => origin + pathname)).toEqual(['https://weather.test/data'])
  expect(Object.fromEntries(asked[0]!.searchParams)).toEqual({
    lang: 'ru',
    q: 'a&appid=b#/../ё',
    units: 'metric',
    appid: 'a key',
  })
})

test('Open-Meteo is asked where the city is, once, and then for the weather there', async () => {
  const asked: URL[] = []
  const provider = fromOpenMeteo(placeAnswer, forecastAnswer, asked)
  expect(await provider.observe('moscow')).toEqual({ ...found, provider: 'open-meteo' })
  await provider.observe('moscow')
  expect(asked.map(({ pathname }) => pathname)).toEqual(['/search', '/forecast', '/forecast'])
  expect(asked[0]!.searchParams.get('name')).toBe('moscow')
  const { searchParams } = asked[1]!
  expect([searchParams.get('latitude'), searchParams.get('longitude')]).toEqual(['55.75222', '37.61556'])
  expect([searchParams.get('wind_speed_unit'), searchParams.get('apikey')]).toEqual(['ms', 'k'])
})

test('Open-Meteo may write the time as text, as it does where it is not asked for seconds', async () => {
  for (const time of ['2025-12-15T11:45', '2025-12-15T11:45:00', '2025-12-15T11:45Z']) {
    const answer = { ...forecastAnswer, current: { ...forecastAnswer.current, time } }
    expect(await fromOpenMeteo(placeAnswer, answer).observe('moscow')).toMatchObject({
      observed_at: '2025-12-15T11:45:00.000000Z',
    })
  }
  for (const time of ['2025-12-15', '2025-13-15T11:45', '11:45', '2025-12-15T11:45+03:00', '']) {
    const answer = { ...forecastAnswer, current: { ...forecastAnswer.current, time } }
    await expect(fromOpenMeteo(placeAnswer, answer).observe('moscow')).rejects.toThrow('"current.time"')
  }
})

test('a city that they do not know is undefined, and asked for again', async () => {
  const notFound = { cod: '404', message: 'city not found' }
  expect(await fromOpenWeather(notFound).observe('atlantis')).toBeUndefined()
  for (const nothing of [{ generationtime_ms: 0.5 }, { results: [] }]) {
    const asked: URL[] = []
    const provider = fromOpenMeteo(nothing, forecastAnswer, asked)
    expect(await provider.observe('atlantis')).toBeUndefined()
    expect(await provider.observe('atlantis')).toBeUndefined()
    expect(asked).toHaveLength(2)
  }
})

test('every condition has its word', async () => {
  const ofOpenWeather = async (id: number) =>
    (await fromOpenWeather({ ...openWeatherAnswer, weather: [{ id }] }).observe('x'))?.condition
  expect(
    await Promise.all([200, 232, 301, 500, 511, 531, 602, 701, 762, 781, 800, 802, 804].map(ofOpenWeather)),
  ).toEqual(
    // biome-ignore format: one line for one line
    ['Thunderstorm', 'Thunderstorm', 'Drizzle', 'Rain', 'Rain', 'Rain', 'Snow', 'Fog', 'Dust', 'Tornado', 'Clear', 'Partly cloudy', 'Cloudy'],
  )
  const ofOpenMeteo = async (code: number) => {
    const current = { ...forecastAnswer.current, weather_code: code }
    return (await fromOpenMeteo(placeAnswer, { ...forecastAnswer, current }).observe('x'))?.condition
  }
  expect(await Promise.all([0, 1, 2, 3, 48, 57, 67, 77, 82, 86, 99].map(ofOpenMeteo))).toEqual(
    // biome-ignore format: one line for one line
    ['Clear', 'Clear', 'Partly cloudy', 'Cloudy', 'Fog', 'Drizzle', 'Rain', 'Snow', 'Rain', 'Snow', 'Thunderstorm'],
  )
})

/** A copy of an answer with another value at a path. */
function changed(answer: object, path: string, value: unknown): object {
  const copy = structuredClone(answer)
  const names = path.split('.')
  const last = names.pop()!
  // biome-ignore lint/suspicious/noExplicitAny: a path of any depth
  const parent = names.reduce((at: any, name) => at[name], copy)
  parent[last] = value
  return copy
}

const wrong: unknown[] = [undefined, null, '15', true, [], {}, [15], Number.NaN, 1e15, -1e15, { valueOf: 15 }]

describe('an answer that is none is an error, and never weather', () => {
  test.each([
    'cod',
    'main',
    'main.temp',
    'main.humidity',
    'wind',
    'wind.speed',
    'weather',
    'weather.0.id',
    'dt',
  ])('OpenWeather, %s', async (path) => {
    for (const value of wrong)
      await expect(fromOpenWeather(changed(openWeatherAnswer, path, value)).observe('x')).rejects.toThrow(
        'the answer has no valid',
      )
  })

  test.each([
    'current',
    'current.time',
    'current.temperature_2m',
    'current.relative_humidity_2m',
    'current.wind_speed_10m',
    'current.weather_code',
  ])('Open-Meteo, %s', async (path) => {
    for (const value of wrong)
      await expect(
        fromOpenMeteo(placeAnswer, changed(forecastAnswer, path, value)).observe('x'),
      ).rejects.toThrow('the answer has no valid')
  })

  test('codes that stand for nothing', async () => {
    const odd = changed(openWeatherAnswer, 'weather.0.id', 404)
    await expect(fromOpenWeather(odd).observe('x')).rejects.toThrow('unknown condition')
    const meteo = changed(forecastAnswer, 'current.weather_code', 42)
    await expect(fromOpenMeteo(placeAnswer, meteo).observe('x')).rejects.toThrow('unknown weather_code')
  })

  test('places that are nowhere', async () => {
    const places = [
      { results: 'x' },
      { results: {} },
      { results: [null] },
      { results: [{ latitude: 91, longitude: 0 }] },
      { results: [{ latitude: '55', longitude: 37 }] },
      { error: true, reason: 'Parameter' },
      'x',
      1,
    ]
    for (const place of places)
      await expect(fromOpenMeteo(place, forecastAnswer).observe('x')).rejects.toThrow('no valid')
  })

  test('whatever comes, it is weather, nothing, or an error', async () => {
    const isWeather = (weather: Weather | undefined) =>
      weather === undefined ||
      (Object.values(weather).length === 6 &&
        [weather.temperature, weather.humidity, weather.wind_speed].every(Number.isFinite) &&
        conditions.includes(weather.condition) &&
        /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000Z$/.test(weather.observed_at))
    const anything = fc.oneof(
      fc.jsonValue(),
      fc
        .tuple(fc.constantFrom('cod', 'main.temp', 'dt', 'weather.0.id', 'wind.speed'), fc.jsonValue())
        .map(([path, value]) => changed(openWeatherAnswer, path, value)),
      fc
        .tuple(fc.constantFrom('current', 'current.time', 'current.temperature_2m'), fc.jsonValue())
        .map(([path, value]) => changed(forecastAnswer, path, value)),
    )
    await fc.assert(
      fc.asyncProperty(anything, async (answer) => {
        for (const provider of [
          fromOpenWeather(answer),
          fromOpenMeteo(answer, forecastAnswer),
          fromOpenMeteo(placeAnswer, answer),
        ]) {
          const weather = await provider.observe('x').catch((error: Error) => {
            expect(error.message).toMatch(/^the answer has /)
            return undefined
          })
          expect(isWeather(weather)).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })
})
