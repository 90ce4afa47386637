import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bearer, register } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { listen } from '../support/listener.ts'
import { startProxy } from '../support/proxy.ts'
import { openTestRabbit, rabbitUrl } from '../support/rabbitmq.ts'
import { redisUrl } from '../support/redis.ts'
import { claimRedisDatabase } from '../support/redis-database.ts'
import { openWeather, startWeatherUpstream, temperatureOf, type WeatherUpstream } from '../support/weather.ts'

let upstream: WeatherUpstream
beforeAll(async () => {
  upstream = await startWeatherUpstream()
})
afterAll(() => upstream[Symbol.asyncDispose]())
beforeEach(() => {
  upstream.asked.length = 0
  upstream.answer(undefined)
})

const weatherOf = (city: string, provider = 'openweather') => ({
  temperature: temperatureOf(city),
  condition: 'Cloudy',
  humidity: 71,
  wind_speed: 3.6,
  observed_at: '2025-12-15T11:45:00.000000Z',
  provider,
})

let number = 0
/** One that nobody has asked for yet. */
const newCity = () => `City ${++number}${'x'.repeat(number % 7)}`

describe('with OpenWeather', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp({ ...upstream.openWeather, WEATHER_REQUESTS_PER_MINUTE: '100000' })
  })
  afterAll(() => app[Symbol.asyncDispose]())

  const post = (body: object, headers = {}) => app.send('POST', '/tasks', body, headers)
  const read = async (id: number) => (await app.fetch(`/tasks/${id}`)).body
  const filled = (id: number) =>
    eventually(async () => {
      const task = await read(id)
      return task.weather && task
    }, `task ${id} has its weather`)
  const due = async () =>
    (
      await app.database.rows<{ id: number }>(
        'SELECT id FROM tasks WHERE weather_due_at IS NOT NULL ORDER BY id',
      )
    ).map(({ id }) => id)

  test('a task with a city has its weather, in the answer, when it is read, and in its event', async () => {
    const city = newCity()
    const listener = await listen(`${app.url.replace('http', 'ws')}/ws/tasks`)
    const { status, body } = await post({ title: 'x', city })
    expect([status, body]).toEqual([201, expect.objectContaining({ city, weather: weatherOf(city) })])
    expect(await read(body.id)).toEqual(body)
    await eventually(() => listener.events.length > 0, 'its event')
    expect(listener.events[0]).toMatchObject({ type: 'task_created', data: { task: body } })
    expect(await due()).toEqual([])
  })

  test('what a batch gives a city gets it soon after, and as one request for each city', async () => {
    const [one, other] = [newCity(), newCity()]
    const { id } = (await post({ title: 'x' })).body
    const { body } = await app.send('POST', '/tasks/batch', {
      operations: [
        { op: 'create', task: { title: 'x', city: one } },
        { op: 'create', task: { title: 'x', city: one, job: { type: 'noop' } } },
        { op: 'create', task: { title: 'x', city: other } },
        { op: 'update', id, task: { city: other } },
      ],
    })
    const ids: number[] = body.results.map((result: { id: number }) => result.id)
    const tasks = await Promise.all(ids.map(filled))
    expect(tasks.map(({ weather }) => weather)).toEqual(
      [one, one, other, other].map((city) => weatherOf(city)),
    )
    expect(await due()).toEqual([])
    expect(upstream.asked).toHaveLength(2)
  })

  test('so has an executable one', async () => {
    const city = newCity()
    const { body } = await post({ title: 'x', city, job: { type: 'noop' } })
    expect(body).toMatchObject({ weather: weatherOf(city), job: { type: 'noop' } })
  })

  test('another city is another weather, none is none, the same is left alone', async () => {
    const [first, second, third] = [newCity(), newCity(), newCity()]
    const { body: task } = await post({ title: 'x', city: first })
    const change = (method: string, body: object) => app.send(method, `/tasks/${task.id}`, body)
    expect((await change('PATCH', { city: second })).body).toMatchObject({
      city: second,
      weather: weatherOf(second),
      version: 2,
    })
    expect((await change('PATCH', { title: 'y', city: second })).body).toMatchObject({
      weather: weatherOf(second),
      version: 3,
    })
    expect((await change('PATCH', { title: 'z' })).body).toMatchObject({ weather: weatherOf(second) })
    expect((await change('PUT', { title: 'z', city: third })).body).toMatchObject({
      weather: weatherOf(third),
    })
    expect((await change('PUT', { title: 'z' })).body).toMatchObject({ city: null, weather: null })
    expect((await change('PATCH', { city: first })).body).toMatchObject({ weather: weatherOf(first) })
    expect((await change('PATCH', { city: null })).body).toMatchObject({ city: null, weather: null })
    expect(upstream.asked.sort()).toEqual([first, second, third].map((city) => city.toLowerCase()).sort())
    expect(await due()).toEqual([])
  })

  test('one request for a city, however many tasks are made at once, and in whatever spelling', async () => {
    const city = newCity()
    upstream.answer((response, name) => void setImmediate(openWeather, response, name))
    const spellings = [city, city.toUpperCase(), city.replace(' ', '  ')]
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => post({ title: 'x', city: spellings[i % 3] })),
    )
    for (const { body } of answers) expect(body.weather).toEqual(weatherOf(city))
    await post({ title: 'later', city })
    expect(upstream.asked).toEqual([city.toLowerCase()])
  })

  test('no city, no question', async () => {
    const { body } = await post({ title: 'x' })
    await app.send('PATCH', `/tasks/${body.id}`, { title: 'y', city: null })
    await app.fetch('/tasks', { method: 'POST' })
    for (const bad of [{ title: '', city: 'Omsk' }, { title: 'x', city: 1 }, { city: 'Omsk' }])
      expect((await post(bad)).status).toBe(422)
    expect(upstream.asked).toEqual([])
  })

  test('a city that nobody knows: no weather, and after a second look it is left at that', async () => {
    const { body } = await post({ title: 'x', city: 'Atlantis' })
    expect(body).toMatchObject({ city: 'Atlantis', weather: null, version: 1 })
    await eventually(async () => !(await due()).includes(body.id), 'it is not looked for any more')
    expect(await read(body.id)).toEqual(body)
    expect(upstream.asked).toEqual(['atlantis'])
  })

  test('a write with a key is replayed with the weather that it had', async () => {
    const city = newCity()
    const key = { 'idempotency-key': `weather ${city}` }
    const first = await post({ title: 'x', city }, key)
    expect(first.body.weather).toEqual(weatherOf(city))
    const again = await post({ title: 'x', city }, key)
    expect([again.body, again.headers.get('idempotency-replayed')]).toEqual([first.body, 'true'])
  })

  test('who is slow is not waited for; what comes then is filled in, with an event', async () => {
    const city = newCity()
    const held = Promise.withResolvers<void>()
    upstream.answer((response, name) => {
      void held.promise.then(() => openWeather(response, name))
    })
    const listener = await listen(`${app.url.replace('http', 'ws')}/ws/tasks`)
    const started = performance.now()
    const { status, body } = await post({ title: 'x', city })
    expect(performance.now() - started).toBeLessThan(2_000)
    expect([status, body.weather, body.updated_at]).toEqual([201, null, null])
    expect(await due()).toContain(body.id)
    held.resolve()
    const task = await filled(body.id)
    expect(task).toEqual({
      ...body,
      weather: weatherOf(city),
      version: 2,
      updated_at: expect.stringMatching(/Z$/),
    })
    await eventually(() => listener.events.length >= 2, 'its events')
    expect(listener.events.map(({ type }) => type)).toEqual(['task_created', 'task_updated'])
    expect(listener.events[1]!.data.task).toEqual(task)
    expect(upstream.asked).toEqual([city.toLowerCase()])
    expect(await due()).not.toContain(body.id)
  })

  test('what a provider failed to say is asked again, later and later', async () => {
    await post({ title: 'x', city: newCity() })
    upstream.answer((response) => response.writeHead(500).end())
    const city = newCity()
    const { body } = await post({ title: 'x', city })
    const postponed = await eventually(async () => {
      const [row] = await app.database.rows<{ seconds: number }>(
        'SELECT extract(epoch FROM weather_due_at - now())::float AS seconds FROM tasks WHERE id = $1 AND weather_due_at > now()',
        [body.id],
      )
      return row
    }, 'another attempt is booked')
    expect(postponed.seconds).toBeGreaterThan(20)
    expect(postponed.seconds).toBeLessThanOrEqual(30)
    upstream.answer(undefined)
    await app.database.rows('UPDATE tasks SET weather_due_at = now() WHERE id = $1', [body.id])
    await app.send('PATCH', `/tasks/${body.id}`, { title: 'Wakes it' })
    expect(await filled(body.id)).toMatchObject({ title: 'Wakes it', weather: weatherOf(city) })
  })

  test('a task that gets another city meanwhile gets the weather of that', async () => {
    const [first, second] = [newCity(), newCity()]
    upstream.answer((response) => response.writeHead(500).end())
    const { body } = await post({ title: 'x', city: first })
    upstream.answer(undefined)
    await app.send('PATCH', `/tasks/${body.id}`, { city: second })
    expect(await filled(body.id)).toMatchObject({ city: second, weather: weatherOf(second) })
  })

  test('who may not write has nobody asked; who may not write to this task finds no way to it', async () => {
    await using required = await startTestApp({ ...upstream.openWeather, AUTH_MODE: 'required' })
    const [anna, boris] = [await register(required, 'anna'), await register(required, 'boris')]
    const city = newCity()
    const send = (method: string, path: string, headers = {}) =>
      required.send(method, path, { title: 'x', city }, headers)
    expect((await send('POST', '/tasks')).status).toBe(401)
    expect(upstream.asked).toEqual([])
    const made = await send('POST', '/tasks', bearer(anna.access_token))
    expect(made.body.weather).toEqual(weatherOf(city))
    for (const method of ['PATCH', 'PUT'])
      expect((await send(method, `/tasks/${made.body.id}`, bearer(boris.access_token))).status).toBe(403)
  })

  test('metrics tell of it', async () => {
    const { body } = await app.fetch('/metrics')
    for (const outcome of ['found', 'unknown', 'failed'])
      expect(body).toMatch(
        new RegExp(`taskwire_weather_requests_total\\{provider="openweather",outcome="${outcome}"\\} [1-9]`),
      )
    expect(body).toMatch(/taskwire_weather_cache_total\{result="hit"\} [1-9]/)
    expect(body).toMatch(/taskwire_weather_cache_total\{result="miss"\} [1-9]/)
  })
})

test('without a key it is Open-Meteo, which finds the place first', async () => {
  await using app = await startTestApp(upstream.openMeteo)
  const { body } = await app.send('POST', '/tasks', { title: 'x', city: 'Москва' })
  expect(body.weather).toEqual(weatherOf('Москва', 'open-meteo'))
  expect((await app.send('POST', '/tasks', { title: 'x', city: 'atlantis' })).body.weather).toBeNull()
  expect(upstream.asked).toEqual(['москва', 'atlantis'])
})

test('beyond the budget of the minute nobody is asked, and the tasks wait', async () => {
  await using app = await startTestApp({ ...upstream.openWeather, WEATHER_REQUESTS_PER_MINUTE: '2' })
  const cities = [newCity(), newCity(), newCity(), newCity()]
  const weather: unknown[] = []
  for (const city of cities)
    weather.push((await app.send('POST', '/tasks', { title: 'x', city })).body.weather)
  expect(weather).toEqual([weatherOf(cities[0]!), weatherOf(cities[1]!), null, null])
  expect(upstream.asked).toHaveLength(2)
  const [row] = await app.database.rows<{ count: number }>(
    'SELECT count(*) AS count FROM tasks WHERE weather_due_at IS NOT NULL',
  )
  expect(row!.count).toBe(2)
})

test('what one process left without its weather, another fills in when it starts', async () => {
  await using first = await startTestApp({ ...upstream.openWeather, ROLES: 'api' })
  upstream.answer((response) => response.writeHead(503).end())
  const city = newCity()
  const { body } = await first.send('POST', '/tasks', { title: 'x', city })
  expect(body.weather).toBeNull()
  upstream.answer(undefined)
  await using _second = await startTestApp({ ...upstream.openWeather, DATABASE_URL: first.database.url })
  const weather = () => first.fetch(`/tasks/${body.id}`).then(({ body }) => body.weather)
  expect(await eventually(weather, 'it is filled in')).toEqual(weatherOf(city))
})

test('WEATHER=off: no weather, and nobody is asked', async () => {
  await using app = await startTestApp({ ...upstream.openWeather, WEATHER: 'off' })
  const { status, body } = await app.send('POST', '/tasks', { title: 'x', city: 'Omsk' })
  expect([status, body.city, body.weather]).toEqual([201, 'Omsk', null])
  expect(upstream.asked).toEqual([])
})

test.skipIf(!redisUrl)('with Redis one process knows what another has asked for', async () => {
  await using redis = await claimRedisDatabase()
  const settings = { ...upstream.openWeather, REDIS_URL: redis.url }
  await using one = await startTestApp(settings)
  await using other = await startTestApp(settings)
  const city = newCity()
  for (const app of [one, other, one])
    expect((await app.send('POST', '/tasks', { title: 'x', city })).body.weather).toEqual(weatherOf(city))
  expect(upstream.asked).toEqual([city.toLowerCase()])
})

test.skipIf(!rabbitUrl)('a task that comes by RabbitMQ gets its weather then', async () => {
  await using rabbit = await openTestRabbit()
  await using app = await startTestApp({ ...upstream.openWeather, ...rabbit.settings })
  const [human, executable] = [newCity(), newCity()]
  await rabbit.publish([
    { title: 'x', city: human, status: 'Completed' },
    { title: 'y', city: executable },
  ])
  const tasks = await eventually(async () => {
    const { body } = await app.fetch('/tasks')
    return body.length === 2 && body.every((task: { weather: unknown }) => task.weather) && body
  }, 'both have their weather')
  for (const { city, weather } of tasks) expect(weather).toEqual(weatherOf(city))
})

test.skipIf(!redisUrl)('while Redis is away or silent nothing is held up', async () => {
  await using redis = await claimRedisDatabase()
  await using proxy = await startProxy(redis.url, 6379)
  await using app = await startTestApp({ ...upstream.openWeather, REDIS_URL: proxy.url })
  const post = async (city: string) => {
    const started = performance.now()
    const { status, body } = await app.send('POST', '/tasks', { title: 'x', city })
    expect(performance.now() - started).toBeLessThan(2_000)
    expect(status).toBe(201)
    return body.weather
  }
  const known = newCity()
  expect(await post(known)).toEqual(weatherOf(known))
  proxy.hang()
  expect(await post(known)).toEqual(weatherOf(known))
  await post(newCity())
  await proxy.refuse()
  const city = newCity()
  await eventually(async () => (await post(city)) !== null, 'it is asked for without Redis')
  expect(upstream.asked.filter((asked) => asked === city.toLowerCase())).toHaveLength(1)
})

describe('a provider that sends', () => {
  let app: TestApp
  beforeAll(async () => {
    // Without a worker, which would ask too.
    app = await startTestApp({ ...upstream.openWeather, ROLES: 'api' })
  })
  afterAll(() => app[Symbol.asyncDispose]())
  const post = (city: string) => app.send('POST', '/tasks', { title: 'x', city })

  test.each<[string, Parameters<WeatherUpstream['answer']>[0]]>([
    ['an error', (response) => response.writeHead(500).end('{}')],
    ['no such key', (response) => response.writeHead(401).end('{"cod":401}')],
    ['garbage', (response) => response.end('<html>')],
    ['other types', (response) => response.end('{"cod":200,"main":{"temp":"15"}}')],
    ['nothing', (response) => response.end()],
    [
      'a cut',
      (response) => response.writeHead(200, { 'content-length': '100' }).end('{') && response.destroy(),
    ],
    ['far too much', (response) => response.end(`{"cod":200,"x":"${'x'.repeat(100_000)}"}`)],
    [
      'a way into networks that are not meant',
      (response) => response.writeHead(302, { location: 'http://169.254.169.254/latest/' }).end(),
    ],
    [
      'a way to another protocol',
      (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    ],
    ['a way in circles', (response) => response.writeHead(302, { location: '/openweather' }).end()],
  ])('%s fails no task', async (_what, answer) => {
    await post(newCity()) // After a success the breaker is closed.
    upstream.answer(answer)
    const city = newCity()
    const { status, body } = await post(city)
    expect([status, body.city, body.weather]).toEqual([201, city, null])
  })
})
