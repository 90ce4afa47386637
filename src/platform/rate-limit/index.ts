export type { CounterFactory, RateCounter, Window } from './counter.ts'
export { memoryCounter } from './memory-counter.ts'
export { addressKey, createRateLimiter, type RateLimiter, type Verdict } from './rate-limiter.ts'
