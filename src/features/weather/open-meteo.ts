import { member, numberAt, PLAUSIBLE, timeAt } from './reading.ts'
import type { Condition, GetJson, Weather, WeatherProvider } from './weather.ts'

const NAME = 'open-meteo'
/** Maximum number of cities whose coordinates are cached; they do not change. */
const MAX_PLACES = 1_000

interface Place {
  latitude: number
  longitude: number
}

/** https://open-meteo.com/en/docs; the geocoding API finds the coordinates of a city first. */
export function openMeteo(options: { url: string; geocodingUrl: string; get: GetJson }): WeatherProvider {
  const { get } = options
  const places = new Map<string, Place>()

  async function find(city: string): Promise<Place | undefined> {
    const known = places.get(city)
    if (known) return known
    const url = new URL(options.geocodingUrl)
    url.searchParams.set('name', city)
    url.searchParams.set('count', '1')
    const place = readPlace(await get(url))
    if (place) {
      if (places.size >= MAX_PLACES) places.delete(places.keys().next().value!)
      places.set(city, place)
    }
    return place
  }

  return {
    name: NAME,
    async observe(city) {
      const place = await find(city)
      if (!place) return undefined
      const url = new URL(options.url)
      url.searchParams.set('latitude', String(place.latitude))
      url.searchParams.set('longitude', String(place.longitude))
      url.searchParams.set('current', 'temperature_2m,relative_humidity_2m,weather_code,wind_speed_10m')
      url.searchParams.set('wind_speed_unit', 'ms')
      url.searchParams.set('timeformat', 'unixtime')
      return readOpenMeteo(await get(url))
    },
  }
}

/** Returns the first place that was found. Without one, the response has no `results`. */
function readPlace(answer: unknown): Place | undefined {
  const results = member(answer, 'results') ?? []
  if (typeof answer !== 'object' || !Array.isArray(results) || member(answer, 'error') !== undefined)
    throw new Error('the answer has no valid "results"')
  if (results.length === 0) return undefined
  return {
    latitude: numberAt(results[0], 'latitude', -90, 90),
    longitude: numberAt(results[0], 'longitude', -180, 180),
  }
}

function readOpenMeteo(answer: unknown): Weather {
  return {
    temperature: numberAt(answer, 'current.temperature_2m', ...PLAUSIBLE.temperature),
    condition: conditionOf(numberAt(answer, 'current.weather_code', 0, 99)),
    humidity: numberAt(answer, 'current.relative_humidity_2m', ...PLAUSIBLE.humidity),
    wind_speed: numberAt(answer, 'current.wind_speed_10m', ...PLAUSIBLE.windSpeed),
    observed_at: timeAt(answer, 'current.time'),
    provider: NAME,
  }
}

const codes: [Condition, number[]][] = [
  ['Clear', [0, 1]],
  ['Partly cloudy', [2]],
  ['Cloudy', [3]],
  ['Fog', [45, 48]],
  ['Drizzle', [51, 53, 55, 56, 57]],
  ['Rain', [61, 63, 65, 66, 67, 80, 81, 82]],
  ['Snow', [71, 73, 75, 77, 85, 86]],
  ['Thunderstorm', [95, 96, 99]],
]

/** WMO code table 4677, the codes that Open-Meteo uses. */
function conditionOf(code: number): Condition {
  const [condition] = codes.find(([, known]) => known.includes(code)) ?? []
  if (!condition) throw new Error(`the answer has the unknown weather_code ${code}`)
  return condition
}
