export { purgeIdempotencyKeys } from './idempotency-keys.ts'
export { conditional, createWrite, keyed, type Write } from './write-routes.ts'
