export { type Bus, openBus } from './bus.ts'
export { registerBusMetrics } from './bus-metrics.ts'
