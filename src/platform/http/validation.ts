import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import type { DataValidationCxt } from 'ajv/dist/types/index.js'
import type { FastifySchemaCompiler } from 'fastify'
import { type FieldError, validationError } from '../../core/errors.ts'
import { isInstant } from '../../core/moment.ts'

/** What schemas may say beyond JSON Schema. */
export interface SchemaRegistry {
  /** Put text into its canonical form before it is checked; by the keyword `normalize`. */
  normalizers: Record<string, (text: string) => string>
  /** By the keyword `format`; `message` completes the path of what is not of the format. */
  formats: Record<string, { is: (text: string) => boolean; message: string }>
}

const ownFormats: SchemaRegistry['formats'] = {
  'plain-text': {
    is: (text) => !text.includes('\0') && text.isWellFormed(),
    message: 'must not contain NUL or half a surrogate pair',
  },
  uuid: {
    is: (text) => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text),
    message: 'must be a UUID',
  },
  'date-time': { is: isInstant, message: 'must be a time with its zone, such as 2025-12-15T12:00:00Z' },
  binary: { is: () => true, message: 'is a file' },
}

/** What of a schema is of interest here; Ajv sees to the rest. */
interface ObjectSchema {
  /** Of large bodies: looking at no more than the first mistake, so that many cost no more than one. */
  failFast?: true
  properties?: Record<string, { type?: unknown; items?: { type?: unknown } }>
}

const MAX_ERRORS = 20
const roots: Record<string, string> = {
  querystring: 'query',
  params: 'path',
  headers: 'headers',
  body: 'body',
}

/**
 * Validation by JSON Schema, without type coercion: a body says what it means. Query and path are
 * text by nature, so exactly-written numbers and booleans in them become values first.
 */
export function validatorCompiler(schemaRegistry: SchemaRegistry): FastifySchemaCompiler<ObjectSchema> {
  const formats = { ...ownFormats, ...schemaRegistry.formats }
  const thorough = createAjv(schemaRegistry.normalizers, formats, true)
  const fast = createAjv(schemaRegistry.normalizers, formats, false)
  return ({ schema, httpPart = 'body' }) => {
    const validate = (schema.failFast ? fast : thorough).compile(schema)
    const fromText = httpPart === 'querystring' || httpPart === 'params'
    return (data: unknown) => {
      if (fromText) coerce(schema, data as Record<string, unknown>)
      if (validate(data)) return { value: data }
      return { error: validationError(fieldErrors(validate, roots[httpPart] ?? httpPart, formats)) }
    }
  }
}

/** Checks bodies that come by another way than HTTP, as those are; throws what a request would be answered with. */
export function bodyValidator<T>(schemaRegistry: SchemaRegistry, schema: unknown): (body: unknown) => T {
  const validate = validatorCompiler(schemaRegistry)({ schema } as Parameters<
    ReturnType<typeof validatorCompiler>
  >[0])
  return (body) => {
    const result = validate(body) as { value: T } | { error: Error }
    if ('error' in result) throw result.error
    return result.value
  }
}

function createAjv(
  normalizers: SchemaRegistry['normalizers'],
  formats: SchemaRegistry['formats'],
  allErrors: boolean,
): Ajv {
  const ajv = new Ajv({
    allErrors,
    useDefaults: true,
    strict: true,
    allowUnionTypes: true,
    discriminator: true,
  })
  for (const [name, { is }] of Object.entries(formats)) ajv.addFormat(name, is)
  ajv.addKeyword('failFast')
  ajv.addKeyword({ keyword: 'maxDepth', schemaType: 'number', validate: isShallow, errors: false })
  ajv.addKeyword({
    keyword: 'normalize',
    schemaType: 'string',
    modifying: true,
    // Ajv runs keywords of no type, of which `enum` is the first to read the text, before those of strings.
    before: 'enum',
    validate: (name: string, data: unknown, _parent?: unknown, at?: DataValidationCxt) => {
      if (typeof data === 'string') at!.parentData[at!.parentDataProperty] = normalizers[name]!(data)
      return true
    },
  })
  return ajv
}

/** Whether no more than so many arrays and objects are in each other: what nobody's stack is too small for. */
function isShallow(most: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  return most > 0 && Object.values(value).every((item) => isShallow(most - 1, item))
}

const integerText = /^-?\d{1,15}$/

function coerce({ properties = {} }: ObjectSchema, data: Record<string, unknown>): void {
  for (const [name, property] of Object.entries(properties)) {
    const value = data[name]
    if (value === undefined) continue
    if (property.type === 'array') {
      data[name] = (Array.isArray(value) ? value : [value]).map((item) => coerced(property.items?.type, item))
    } else {
      data[name] = coerced(property.type, value)
    }
  }
}

function coerced(type: unknown, value: unknown): unknown {
  if (type === 'integer' && typeof value === 'string' && integerText.test(value)) return Number(value)
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true'
  return value
}

function fieldErrors(
  validate: ValidateFunction,
  root: string,
  formats: SchemaRegistry['formats'],
): FieldError[] {
  return (
    (validate.errors ?? [])
      // Where that is wrong, the `enum` of the property says what it may be.
      .filter(({ keyword }) => keyword !== 'discriminator')
      .slice(0, MAX_ERRORS)
      .map((error) => fieldError(error, root, formats))
  )
}

function fieldError(error: ErrorObject, root: string, formats: SchemaRegistry['formats']): FieldError {
  const steps = error.instancePath
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  const property = error.params.additionalProperty ?? error.params.missingProperty
  const path = [root, ...steps, ...(property === undefined ? [] : [property])].join('.')
  return { path: path.slice(0, 200), message: message(error, formats) }
}

function message(
  { keyword, params, message = 'is not valid' }: ErrorObject,
  formats: SchemaRegistry['formats'],
): string {
  switch (keyword) {
    case 'type':
      return `must be ${[params.type].flat().join(' or ')}`
    case 'additionalProperties':
      return 'is not known here'
    case 'required':
      return 'is required'
    case 'enum':
      return `must be one of ${params.allowedValues.join(', ')}`
    case 'minLength':
      return params.limit === 1 ? 'must not be empty' : `must have at least ${params.limit} characters`
    case 'maxLength':
      return `must have at most ${params.limit} characters`
    case 'maxDepth':
      return 'is nested too deeply'
    case 'format':
      return formats[params.format]?.message ?? message
    default:
      return message
  }
}
