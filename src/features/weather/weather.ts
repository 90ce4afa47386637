/** The words for conditions, whichever provider tells of them. */
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

/** The weather of a city, as it is kept with a task and shown. */
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

/** Asks somebody outside. */
export interface WeatherProvider {
  /** As it stands in `Weather` and in the metrics. */
  readonly name: string
  /** By a city's key; undefined: the provider knows no such city. Rejects when there is no usable answer. */
  observe(city: string): Promise<Weather | undefined>
}

/** Sends a GET and reads the JSON that comes, with one of the `statuses`: 200 if they are not given. */
export type GetJson = (url: URL, statuses?: readonly number[]) => Promise<unknown>
