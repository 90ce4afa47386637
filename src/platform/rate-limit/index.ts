export type { Counter, CounterFactory, Window } from './counter.ts'
export { memoryCounter } from './memory-counter.ts'
export { addressKey, createRateLimiter, type RateLimiter, type Verdict } from './rate-limiter.ts'
