export { labelled, mergeFamilies } from './exposition.ts'
export { createMetrics, type Family, type Metrics } from './metrics.ts'
export { metricsRoutes } from './metrics-routes.ts'
export { registerProcessMetrics } from './process-metrics.ts'
