import type { ServerResponse } from 'node:http'
import { startUpstream, type Upstream } from './upstream.ts'

type Answer = (response: ServerResponse, city: string) => void

export interface WeatherUpstream extends AsyncDisposable {
  /** With which a server asks it as OpenWeather, and as Open-Meteo. */
  openWeather: Record<string, string>
  openMeteo: Record<string, string>
  /** Cities that were asked for, in order. */
  asked: string[]
  /** Requests that have come. */
  readonly requests: number
  /** Does so from now on, until it is told `undefined`; by itself it knows every city but Atlantis. */
  answer(as: Answer | undefined): void
}

/** What it tells of a city, so that each has its own. */
export const temperatureOf = (city: string): number => [...city.toLowerCase()].length + 0.5

/** Both providers on a free port of this machine. */
export async function startWeatherUpstream(): Promise<WeatherUpstream> {
  const upstream: Upstream = await startUpstream()
  const { origin } = new URL(upstream.url)
  const asked: string[] = []
  /** Open-Meteo's second question has a place and not a city: of latitude. */
  const cities = ['']
  let answer: Answer | undefined
  upstream.answer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, origin)
    const city = searchParams.get('q') ?? searchParams.get('name')
    if (city !== null) asked.push(city)
    const name = city ?? cities[Number(searchParams.get('latitude'))]!
    if (answer) answer(response, name)
    else if (pathname === '/openweather') openWeather(response, name)
    else if (pathname === '/forecast') json(response, 200, forecast(name))
    else json(response, 200, { results: name === 'atlantis' ? undefined : [place(cities.push(name) - 1)] })
  })
  return {
    openWeather: {
      WEATHER: 'on',
      OPENWEATHER_API_KEY: 'the key of the tests',
      OPENWEATHER_URL: `${origin}/openweather`,
    },
    openMeteo: {
      WEATHER: 'on',
      OPEN_METEO_URL: `${origin}/forecast`,
      OPEN_METEO_GEOCODING_URL: `${origin}/search`,
    },
    asked,
    get requests() {
      return upstream.requests
    },
    answer(as) {
      answer = as
    },
    [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose](),
  }
}

const place = (latitude: number) => ({ latitude, longitude: 37.6 })

const forecast = (city: string) => ({
  current: {
    time: 1765799100,
    temperature_2m: temperatureOf(city),
    relative_humidity_2m: 71,
    weather_code: 3,
    wind_speed_10m: 3.6,
  },
})

/** Answers as OpenWeather does. */
export function openWeather(response: ServerResponse, city: string): void {
  if (city === 'atlantis') json(response, 404, { cod: '404', message: 'city not found' })
  else
    json(response, 200, {
      cod: 200,
      dt: 1765799100,
      main: { temp: temperatureOf(city), humidity: 71 },
      weather: [{ id: 803, main: 'Clouds' }],
      wind: { speed: 3.6 },
    })
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
