export { addressKey, createRateLimiter, type RateLimiter, type Verdict } from './rate-limiter.ts'
