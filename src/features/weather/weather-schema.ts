import type { JSONSchema } from 'json-schema-to-ts'
import { conditions, type Weather } from './weather.ts'

export const weatherExample: Weather = {
  temperature: 15.5,
  condition: 'Cloudy',
  humidity: 71,
  wind_speed: 3.6,
  observed_at: '2025-12-15T11:45:00.000000Z',
  provider: 'open-meteo',
}

export const WeatherSchema: JSONSchema = {
  type: ['object', 'null'],
  required: ['temperature', 'condition', 'humidity', 'wind_speed', 'observed_at', 'provider'],
  properties: {
    temperature: { type: 'number', description: '°C' },
    condition: { type: 'string', enum: conditions },
    humidity: { type: 'number', description: '%' },
    wind_speed: { type: 'number', description: 'm/s' },
    observed_at: { type: 'string', format: 'date-time' },
    provider: { type: 'string', examples: ['openweather', 'open-meteo'] },
  },
  description:
    'Of the city, from when the task got it; null: it has no city, nobody knows it, or it is yet to be filled in',
}
