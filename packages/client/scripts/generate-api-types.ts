import { objectOf, type Schema, typeOf, union } from './json-schema-types.ts'

interface Content {
  content?: Record<string, { schema?: Schema }>
}
interface Parameter {
  name: string
  in: string
  required?: boolean
  description?: string
  schema: Schema
}
interface Operation {
  summary?: string
  security?: object[]
  parameters?: Parameter[]
  requestBody?: Content & { required?: boolean }
  responses: Record<string, Content>
}
export interface OpenApi {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> }
}
export interface AsyncApi {
  channels: Record<string, { messages: Record<string, unknown> }>
  components: { messages: Record<string, { payload: Schema }> }
}

const HEAD = `// Generated from docs/openapi.json and docs/asyncapi.json.
// Where they have changed: npx vitest run packages/client/test/api-types.test.ts -u
`

/** OpenAPI knows the envelope only, AsyncAPI each event. */
const ENVELOPE = 'Event'
const UNION = 'TaskwireEvent'

/** The module with the types of all that the two documents describe. */
export function apiTypes(openApi: OpenApi, asyncApi: AsyncApi): string {
  const models = Object.entries(openApi.components.schemas).filter(([name]) => name !== ENVELOPE)
  const parts = [
    HEAD,
    ...models.map(([name, schema]) => declaration(name, typeOf(schema, named))),
    routes(openApi),
    routeSet(openApi, 'keyedRoutes', 'Those that take an Idempotency-Key.', ({ parameters = [] }) =>
      parameters.some((parameter) => parameter.in === 'header' && parameter.name === 'idempotency-key'),
    ),
    routeSet(openApi, 'publicRoutes', 'Those that heed no token.', ({ security }) => security?.length === 0),
    ...events(asyncApi, openApi),
  ]
  return parts.join('\n')
}

function named(ref: string): string {
  const name = ref.slice(ref.lastIndexOf('/') + 1)
  return name === ENVELOPE ? UNION : name
}

function declaration(name: string, type: string): string {
  return type.startsWith('{') ? `export interface ${name} ${type}\n` : `export type ${name} = ${type}\n`
}

function routeSet(
  { paths }: OpenApi,
  name: string,
  tells: string,
  belongs: (operation: Operation) => boolean,
): string {
  const members = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([, operation]) => belongs(operation))
      .map(([method]) => `  '${method.toUpperCase()} ${path}',\n`),
  )
  return `/** ${tells} */\nexport const ${name}: ReadonlySet<string> = new Set([\n${members.join('')}])\n`
}

/** What each operation takes and answers, by method and path. */
function routes({ paths }: OpenApi): string {
  const members = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .map(([method, operation]) => ({ method, operation, answer: answerOf(operation) }))
      // A WebSocket has no answer.
      .filter(({ answer }) => answer !== undefined)
      .map(({ method, operation, answer }) => ({
        name: `${method.toUpperCase()} ${path}`,
        type: objectOf([
          ...parametersOf(operation, 'path'),
          ...parametersOf(operation, 'query'),
          ...bodyOf(operation),
          { name: 'answer', type: answer!, optional: false },
        ]),
        optional: false,
        description: operation.summary,
      })),
  )
  return declaration('Routes', objectOf(members))
}

function parametersOf({ parameters = [] }: Operation, place: string) {
  const members = parameters
    .filter((parameter) => parameter.in === place)
    .map(({ name, required, description, schema }) => {
      const type = typeOf(schema, named, true)
      return { name, type: required ? type : union([type, 'undefined']), optional: !required, description }
    })
  if (members.length === 0) return []
  const optional = members.every((member) => member.optional)
  return [{ name: place, type: withUndefined(objectOf(members), optional), optional }]
}

function bodyOf({ requestBody }: Operation) {
  if (!requestBody?.content) return []
  const types = Object.entries(requestBody.content).map(([type, { schema }]) => {
    if (type === 'application/json') return schema ? typeOf(schema, named, true) : 'unknown'
    if (type === 'application/x-www-form-urlencoded') return 'URLSearchParams'
    return type === 'multipart/form-data' ? 'FormData' : 'Blob | ArrayBuffer'
  })
  const optional = !requestBody.required
  return [{ name: 'body', type: withUndefined(union(types), optional), optional }]
}

/** undefined: it never succeeds. */
function answerOf({ responses }: Operation): string | undefined {
  const answers = Object.entries(responses).filter(([status]) => /^2\d\d$/.test(status))
  if (answers.length === 0) return undefined
  return union(
    answers.map(([, { content = {} }]) => {
      const json = content['application/json']
      if (json) return json.schema ? typeOf(json.schema, named) : 'unknown'
      const [type] = Object.keys(content)
      if (type === undefined) return 'undefined'
      return type.startsWith('text/') ? 'string' : 'Blob'
    }),
  )
}

/** A type for each event, and one that is all of them. */
function events({ channels, components }: AsyncApi, openApi: OpenApi): string[] {
  const types = Object.keys(components.messages).filter((type) => isEvent(components.messages[type]!.payload))
  const told = new Set(Object.values(channels).flatMap(({ messages }) => Object.keys(messages)))
  const lost = types.find((type) => !told.has(type))
  if (lost !== undefined) throw new Error(`no channel tells ${lost}`)
  const name = (type: string) => `${pascalCase(type)}Event`
  return [
    ...types.map((type) => {
      const payload = withRefs(components.messages[type]!.payload, openApi)
      return declaration(name(type), typeOf(payload, named))
    }),
    declaration(UNION, types.map(name).join(' | ')),
  ]
}

/** What has an id is an event of the table; the rest are notices and what clients say. */
function isEvent({ required = [] }: Schema): boolean {
  return required.includes('id')
}

/** AsyncAPI has the models written out, OpenAPI by reference: here they are one type. */
function withRefs(schema: Schema, openApi: OpenApi): Schema {
  const model = schema.title === undefined ? undefined : openApi.components.schemas[schema.title]
  if (model) {
    if (typeOf(model, named) !== typeOf(schema, named))
      throw new Error(`there are two kinds of ${schema.title}`)
    return { $ref: schema.title! }
  }
  if (!schema.properties) return schema
  const properties = Object.entries(schema.properties).map(([key, value]) => [key, withRefs(value, openApi)])
  return { ...schema, properties: Object.fromEntries(properties) }
}

function withUndefined(type: string, optional: boolean): string {
  return optional ? `${type} | undefined` : type
}

function pascalCase(name: string): string {
  return name.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
