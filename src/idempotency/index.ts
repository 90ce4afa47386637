export { purgeIdempotencyKeys } from './idempotency-keys.ts'
export { createWrite, IDEMPOTENCY_HEADER, type Write } from './write-routes.ts'
