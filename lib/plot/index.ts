/** Pictures: learning curves, densities, sheets of images. */

export { type DensityChartOptions, densityChart } from './densityChart';
export type { ChartOptions } from './frame';
export { type ImageSheetOptions, type Images, imageSheet } from './imageSheet';
export { type LineChartOptions, type LineSeries, lineChart } from './lineChart';
export { sideBySide } from './sideBySide';
