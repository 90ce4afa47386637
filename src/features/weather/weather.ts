/** The weather conditions, the same for every provider. */
export const conditions = [
  'Clear',
  'Partly cloudy',
  'Cloudy',
  'Fog',
  'Haze',
  'Dust',
  'Drizzle',
  'Rain',
  'Snow',
  'Thunderstorm',
  'Squalls',
  'Tornado',
] as const
export type Condition = (typeof conditions)[number]

/** The weather of a city, as it is stored with a task and shown. */
export interface Weather {
  /** °C */
  temperature: number
  condition: Condition
  /** % */
  humidity: number
  /** m/s */
  wind_speed: number
  /** ISO 8601, UTC, microseconds */
  observed_at: string
  provider: string
}

/** A client of a weather provider. */
export interface WeatherProvider {
  /** Name of the provider in `Weather` and in the metrics. */
  readonly name: string
  /** Fetches the weather by a city key; undefined: the city is unknown. Rejects if there is no usable response. */
  observe(city: string): Promise<Weather | undefined>
}

/** Sends a GET and returns the JSON of a response with one of the `statuses`; default: 200. */
export type GetJson = (url: URL, statuses?: readonly number[]) => Promise<unknown>
