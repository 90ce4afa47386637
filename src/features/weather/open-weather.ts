import { member, numberAt, PLAUSIBLE, timeAt } from './reading.ts'
import type { Condition, GetJson, Weather, WeatherProvider } from './weather.ts'

const NAME = 'openweather'

/** https://openweathermap.org/current */
export function openWeather(options: { url: string; key: string; get: GetJson }): WeatherProvider {
  return {
    name: NAME,
    async observe(city) {
      const url = new URL(options.url)
      url.searchParams.set('q', city)
      url.searchParams.set('units', 'metric')
      url.searchParams.set('appid', options.key)
      // 404 means that either the city or the URL is unknown; the body says which.
      return readOpenWeather(await options.get(url, [200, 404]))
    },
  }
}

/** Returns `cod`, which is a number on success and text on an error. */
function readOpenWeather(answer: unknown): Weather | undefined {
  const cod = member(answer, 'cod')
  if (String(cod) === '404') return undefined
  if (String(cod) !== '200') throw new Error('the answer has no valid "cod"')
  const [first] = [member(answer, 'weather')].flat()
  return {
    temperature: numberAt(answer, 'main.temp', ...PLAUSIBLE.temperature),
    condition: conditionOf(numberAt(first, 'id', 200, 899)),
    humidity: numberAt(answer, 'main.humidity', ...PLAUSIBLE.humidity),
    wind_speed: numberAt(answer, 'wind.speed', ...PLAUSIBLE.windSpeed),
    observed_at: timeAt(answer, 'dt'),
    provider: NAME,
  }
}

const groups: Record<number, Condition> = { 2: 'Thunderstorm', 3: 'Drizzle', 5: 'Rain', 6: 'Snow' }
const codes: Record<number, Condition> = {
  701: 'Fog',
  711: 'Haze',
  721: 'Haze',
  731: 'Dust',
  741: 'Fog',
  751: 'Dust',
  761: 'Dust',
  762: 'Dust',
  771: 'Squalls',
  781: 'Tornado',
  800: 'Clear',
  801: 'Partly cloudy',
  802: 'Partly cloudy',
  803: 'Cloudy',
  804: 'Cloudy',
}

/** https://openweathermap.org/weather-conditions */
function conditionOf(code: number): Condition {
  const condition = codes[code] ?? groups[Math.floor(code / 100)]
  if (!condition) throw new Error(`the answer has the unknown condition ${code}`)
  return condition
}
